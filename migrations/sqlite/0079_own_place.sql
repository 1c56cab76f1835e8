-- Which results stand where something that Docket wrote has come to, as from the trash, or beside it under a number: they are looked at.

CREATE INDEX own_file_name ON own_file (profile, folder, name) WHERE rule IS NOT NULL;
