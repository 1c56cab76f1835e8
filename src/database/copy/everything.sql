-- A row of each table that no change at random makes, with what may be lost on the way: quotation marks, signs of every length, the
-- largest number, nothing, and texts that compare otherwise in a locale than byte by byte.
INSERT INTO receive_count VALUES ('accepted', '', 7), ('refused', 'it''s "late"', 9223372036854775807), ('Refused', 'é', 0);
INSERT INTO pause (target, reason, since, probe_at, kind, allowed)
VALUES ('openai', 'it refuses', 1, 2, 'refusal', NULL), ('openai/vs_1', 'down', 1, 2, 'outage', 3);
INSERT INTO vector_store VALUES ('all', 'intent', 'vs_1', 5, NULL, NULL, NULL, NULL, NULL);
INSERT INTO vector_store VALUES ('all, continued 2', 'intent 2', 'vs_2', 6, NULL, NULL, NULL, 'vs_1', 2);
INSERT INTO full_store VALUES ('vs_1', 'vs_2', 6, 5, 6);
INSERT INTO event (event_id, source, kind, subject, name, received_at, ignored_because, scheme, secret_index, payload, request_id)
VALUES ('Zoë', 'webhook', 'ignored', 'file', '📄 ', 5, 'a download changes no file', 'v1', 0, '{"a":"\\\n"}', 'r'),
       ('a', 'webhook', 'ignored', 'file', '', 5, 'no', 'v1', 0, NULL, NULL),
       ('B', 'webhook', 'ignored', 'file', '', 5, 'no', 'v1', 0, NULL, NULL);
INSERT INTO job (id, key, task, needs, state, priority, due_at, attempt, reason, created_at, updated_at)
VALUES (9000, 'run:held', '{}', ' openai ', 'waiting', 0, 9000000000000, 2, 'it is held', 1, 1),
       (9001, 'file:gone', '{}', ' ', 'waiting', 0, 1, 0, NULL, 1, 1);
DELETE FROM job WHERE id = 9001;
INSERT INTO job (id, key, task, needs, state, priority, due_at, lease, lease_until, created_at, updated_at, replica)
VALUES (8999, 'file:running', '{}', ' ', 'running', 0, 1, 3, 5, 1, 1, 7);
INSERT INTO run (run_id, rule, source_id, profile, node, path, content_hash, bytes, file_id, vector_store, definition, engine, state,
                 outcome, conversation, response, lock, result, created_at, updated_at, ended_at, verdict, verdict_by, verdict_at)
VALUES (500, 'ended', 'workspace:1:e', 'workspace:1', 'e', '/e', 'h', 1, 'f', 'v', 'd', 'responses', 'ended', 'needs_review', 'conv_1',
        'resp_1', 'none', '{"quotes": []}', 1, 1, 1, 'accepted', 'kim', 2);
INSERT INTO file (source_id, profile, node, state, path, ancestors, rules, size, seen_at)
VALUES ('workspace:1:e', 'workspace:1', 'e', 'present', '/e', '', 'ended', 1, 1),
       ('workspace:1:s', 'workspace:1', 's', 'present', '/s', ' root ', 'ended', 1, 1);
INSERT INTO file_out VALUES ('ended', 'workspace:1:s', 5, 'rule', 'used_least', 0, 7, 'it''s "used" least', 3),
                            ('Zoë', 'workspace:1:s', 6, 'project', 'no_room', 1, 7, 'no room', 3);
INSERT INTO storage_seen VALUES (1, 2, 9223372036854775807, 5);
INSERT INTO storage_near VALUES (1, 5);
INSERT INTO run_existing (rule, source_id, content_hash, found_at)
VALUES ('ended', 'workspace:1:e', 'h', 1), ('ended', 'workspace:1:s', 'h', 1);
INSERT INTO run_file (run_id, filename, container, file_id, content, reason)
VALUES (500, 'z.csv', 'cntr_1', 'cfile_2', x'00ff27', NULL), (500, 'a.csv', 'cntr_1', 'cfile_1', NULL, 'too large');
INSERT INTO run_action VALUES (500, '{"do":"lock"}', 0, 'left', 1, 'it''s gone', 'x', 5);
DELETE FROM run_object WHERE object = 'cntr_1';
INSERT INTO run_object VALUES ('response', 'resp_1', 'workspace:1:e', 500, 1), ('conversation', 'conv_0', 'workspace:1:x', 3, 1);
INSERT INTO own_file (owner, profile, folder, name, state, node, sha256, size, since)
VALUES ('run:ended:workspace:1:e', 'workspace:1', 'root', 'e.md', 'written', 'n', 'x', 1, 50);
INSERT INTO openai_webhook VALUES ('wh_1', 5);
INSERT INTO feed (feed, way, since) VALUES (1, 'changes', 5);
INSERT INTO feed_cursor VALUES ('1', 'c', 0, NULL, '[]');
INSERT INTO feed_trail VALUES ('1', 5, 'c'), ('1', -5, 'b');
INSERT INTO feed_search VALUES ('workspace:1', 5);
INSERT INTO relist VALUES ('workspace:1', 'why', 5);
INSERT INTO backfill VALUES ('workspace:1', NULL, 1, 1, NULL, 3);
INSERT INTO sweep VALUES ('nightly', 1, 2, 0, 'stopped', '{}', 'r', 'approved', '[]');
INSERT INTO lost_upload (source_id, vector_store, size, content_hash, filename, bytes, begun_at, lost_at)
VALUES ('workspace:1:e', 'vs_1', 1, 'h', 'f', 1, 1, 1);
INSERT INTO clock VALUES (1, 5);
INSERT INTO kept_out VALUES ('workspace:1:e', 'ended', 'v', 'md5:aa', 1, 2, 'ab', 3, 4);
INSERT INTO running_rule VALUES ('ended', 5);
INSERT INTO founding VALUES (1, 'served', 5);
INSERT INTO swept_rule VALUES ('ended', 'f', 5);
INSERT INTO outside (kind, state, owner, mark, object, since) VALUES ('lock', 'unwanted', 'run:1', 'workspace:1:e', 'token', 5);
INSERT INTO outside (kind, state, owner, mark, object, since) VALUES ('talk', 'unwanted', 'run:1', 'workspace:1:key', 'thread', 5);
INSERT INTO run_try (run_id, rule, model, begun_at, expected) VALUES (500, 'ended', 'gpt', 1, 5);
INSERT INTO model_pace VALUES ('gpt', 'why', 1, 1, 1, 1, 1);
INSERT INTO model_limit VALUES ('gpt', 500, NULL);
INSERT INTO known_rule VALUES ('ended', NULL, 'what', 5);
INSERT INTO own_content VALUES (x'ff00', 1, 5), (x'00ff', 1, 5), (x'', 1, 5);
INSERT INTO own_key VALUES (1, x'00ff');
INSERT INTO digest_row VALUES ('ended', 'workspace:1:e', 'mark');
INSERT INTO digest_ask VALUES ('ended', 1, 2);
INSERT INTO shown_rule VALUES ('ended', 'md');
INSERT INTO question VALUES ('d', 'why?', 5);
INSERT INTO erasure (source_id, because, asked_at) VALUES ('workspace:1:x', 'asked', 5);
INSERT INTO audit (at, who, name, action, about, filter, number, why)
VALUES (5, 'admin token', NULL, 'retry job', 'job:9000', NULL, 1, NULL), (6, 'this machine', 'Zoë', 'accept run', 'bulk:1', 'state=x', 2, 'why');
INSERT INTO bulk (action, who, filter, number, began_at) VALUES ('accept run', 'this machine', 'state=x', 2, 6);
INSERT INTO bulk_item VALUES (1, '500', NULL), (1, '499', ''), (1, '498', 'it is running');
INSERT INTO history (source_id, task, rule, job_id, attempt, times, due_at, began_at, ended_at, ended, reason, server, request_id, steps)
VALUES ('workspace:1:a', 'file', NULL, 9000, 1, 1, 1, 2, 3, 'done', NULL, 'process 1 on here', 'id', '[{"w":"uploaded","b":2,"e":3}]'),
       ('workspace:1:a', 'run', 'ended', 9001, 2, 7, NULL, NULL, 4, 'lost', 'its worker stopped', 'process 2 on here', NULL, '[]');
INSERT INTO import (key, profile, folder, name, url, shown, state, others, upload, node, reason, asked_at, begun_at, updated_at, ended_at)
VALUES ('k', 'workspace:1', '/', 'Zoë.pdf', 'https://a.example/b?c', 'https://a.example/b?…', 'asked', '["u"]', NULL, NULL, NULL, 1, 2, 2, NULL),
       ('l', 'workspace:1', '/x', 'é', NULL, 'https://a.example/', 'complete', '[]', 'u', '2a', NULL, 1, 2, 3, 4);
INSERT INTO run_turn VALUES (500, 'k', 'thread', 'turn', 5, 'Zoë asks back');
INSERT INTO batch (rule, mark, state, input_file, batch, output_file, error_file, begun_at, tried_at)
VALUES ('ended', 'm', 'reading', 'file-1', 'batch_1', 'file-2', NULL, 5, 6);
INSERT INTO batch_run VALUES (500, 'ended', 1, 'answered', '{"id":"é"}', NULL, 5);
INSERT INTO late VALUES ('ended', 5);
INSERT INTO news (endpoint, kind, about, since, made_at, message) VALUES ('us', 'cause_opened', 'openai', 4, 5, 'msg_1'), ('us', 'run_done', '500', NULL, 6, NULL);
INSERT INTO news_channel (endpoint, kind, address, message, attempts, begun_at, next_at, trouble)
VALUES ('us', 'cause_opened', 'hash', 'msg_1', 1, 5, 10, 'answered with 500'), ('us', 'run_done', 'hash', NULL, 0, 0, 0, NULL);
