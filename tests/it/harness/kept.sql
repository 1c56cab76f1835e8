-- Every kept number that is not what the rows come to, in words. What runs come to is said here in another way than where it is kept.
WITH
newest AS (
    SELECT run.*, NOT EXISTS (SELECT 1 FROM run AS newer WHERE newer.source_id = run.source_id AND newer.rule = run.rule
                                                           AND newer.run_id > run.run_id) AS is_newest,
           coalesce((SELECT state FROM file WHERE file.source_id = run.source_id), '') = 'gone' AS is_gone
    FROM run
),
standing AS (
    SELECT rule, coalesce(reason, '') AS reason,
           CASE WHEN state = 'ended' THEN coalesce(verdict, outcome) WHEN held_until IS NOT NULL THEN 'held' ELSE state END AS word
    FROM newest
    WHERE state <> 'ended' OR (is_newest AND (outcome IN ('completed', 'superseded', 'cancelled') OR NOT is_gone))
),
room (rule, place, one, bytes, stored) AS (
    SELECT rule, CASE state WHEN 'retiring' THEN 'leaving' ELSE 'in' END, CASE WHEN coalesce(segment, 1) = 1 THEN 1 ELSE 0 END, bytes,
           coalesce(usage_bytes, bytes)
    FROM copy
    UNION ALL SELECT rule, CASE wanted WHEN 1 THEN 'wanted' ELSE 'out' END, 1, bytes, bytes FROM file_out
),
counted (what, number) AS (
    SELECT 'jobs ' || state || ' ' || substr(key, 1, instr(key || ':', ':') - 1) || ' ' || priority, count(*)
    FROM job GROUP BY 1
    UNION ALL SELECT 'files ' || state, count(*) FROM file GROUP BY 1
    UNION ALL SELECT 'copies ' || vector_store || ' ' || state, count(*) FROM copy GROUP BY 1
    UNION ALL SELECT 'room ' || rule || ' ' || place || ' files', sum(one) FROM room GROUP BY 1 HAVING sum(one) <> 0
    UNION ALL SELECT 'room ' || rule || ' ' || place || ' bytes', sum(bytes) FROM room GROUP BY 1 HAVING sum(bytes) <> 0
    UNION ALL SELECT 'room ' || rule || ' ' || place || ' stored', sum(stored) FROM room GROUP BY 1 HAVING sum(stored) <> 0
    UNION ALL SELECT 'events ' || kind, count(*) FROM event GROUP BY 1
    UNION ALL SELECT 'runs ' || word || ' ' || rule || CASE word WHEN 'held' THEN ' ' || reason ELSE '' END, count(*)
    FROM standing GROUP BY 1
    UNION ALL SELECT 'spared ' || e.rule, count(*)
    FROM run_existing AS e JOIN file AS f ON f.source_id = e.source_id AND f.state = 'present'
    WHERE NOT EXISTS (SELECT 1 FROM run AS r WHERE r.source_id = e.source_id AND r.rule = e.rule) GROUP BY 1
),
kept (what, number) AS (
    SELECT 'jobs ' || state || ' ' || kind || ' ' || priority, jobs FROM job_count WHERE jobs <> 0
    UNION ALL SELECT 'files ' || state, files FROM file_count WHERE files <> 0
    UNION ALL SELECT 'copies ' || vector_store || ' ' || state, copies FROM copy_count
    UNION ALL SELECT 'room ' || rule || ' ' || place || ' files', files FROM room_count WHERE files <> 0
    UNION ALL SELECT 'room ' || rule || ' ' || place || ' bytes', bytes FROM room_count WHERE bytes <> 0
    UNION ALL SELECT 'room ' || rule || ' ' || place || ' stored', stored FROM room_count WHERE stored <> 0
    UNION ALL SELECT 'events ' || kind, events FROM event_count WHERE events <> 0
    UNION ALL SELECT 'runs ' || word || ' ' || rule || CASE word WHEN 'held' THEN ' ' || reason ELSE '' END, runs
    FROM run_count
    UNION ALL SELECT 'spared ' || rule, files FROM run_existing_count
)
SELECT 'a kept number: ' || number || ' ' || what || ' are there and not on record'
FROM (SELECT * FROM counted EXCEPT SELECT * FROM kept) AS unrecorded
UNION ALL
SELECT 'a kept number: ' || number || ' ' || what || ' are on record and not there'
FROM (SELECT * FROM kept EXCEPT SELECT * FROM counted) AS lost
