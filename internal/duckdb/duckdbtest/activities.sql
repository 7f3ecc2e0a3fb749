CREATE TABLE activity AS FROM (VALUES
    ('B1', 'Lommepengejob i Nordlunden', 'P1', 'A1', 'CRIME_PREVENTION', 'POCKET_MONEY_JOB', DATE '2014-03-01', DATE '2015-12-31', 13, 16, 10),
    ('B2', 'Fritidsjob i Nordlunden', 'P1', 'A1', 'EMPLOYMENT', 'LEISURE_JOB', DATE '2014-01-01', DATE '2016-12-31', 13, 17, NULL),
    ('B3', 'Fritidsjob i Ådalen', 'P2', 'A2', 'EMPLOYMENT', 'LEISURE_JOB', DATE '2015-01-01', NULL, 13, 17, 20),
    ('B4', 'Bydelsmødre i Ådalen', 'P1', 'A2', 'SMALL_CHILDREN', 'NETWORK_MOTHERS', NULL, DATE '2015-06-30', 20, 45, NULL),
    ('B5', 'Seniorhold i Zoneparken', 'P2', 'A3', 'SMALL_CHILDREN', 'PROJECT_OR_EVENT', DATE '2014-01-01', DATE '2014-12-31', 70, NULL, NULL),
    ('B6', 'Åbent hus i Zoneparken', 'P2', 'A3', 'EDUCATION', 'PROJECT_OR_EVENT', NULL, NULL, NULL, NULL, NULL)
) t(activity_id, name, plan_id, area_id, theme, type, start, "end", age_min, age_max, capacity);

-- Persons 1 to 8 are in two activities in one year. Those of 100 and up are there for comparison
-- only, some of them with an activity and a year all the same.
CREATE TABLE participant AS
WITH person AS (
    SELECT i AS person_id, 'POCKET_MONEY_JOB' AS type, 'B1' AS activity_id, 'A1' AS area_id, 2014 AS start_year, true AS treated FROM range(1, 13) t(i)
    UNION ALL SELECT i, 'LEISURE_JOB', 'B2', 'A1', CASE WHEN i < 9 THEN 2014 ELSE 2015 END, true FROM range(1, 19) t(i)
    UNION ALL SELECT i, 'LEISURE_JOB', 'B3', 'A2', CASE WHEN i < 37 THEN 2015 WHEN i < 40 THEN 2016 END, true FROM range(30, 41) t(i)
    UNION ALL SELECT i, 'NETWORK_MOTHERS', 'B4', 'A2', 2014, true FROM range(50, 56) t(i)
    UNION ALL SELECT i, 'PROJECT_OR_EVENT', 'B5', 'A3', 2014, true FROM range(60, 63) t(i)
    UNION ALL SELECT 70, 'LEISURE_JOB', NULL, 'A3', 2015, true
    UNION ALL SELECT i, 'LEISURE_JOB', CASE WHEN i % 2 = 0 THEN 'B2' END, 'A1', CASE WHEN i % 2 = 0 THEN 2014 END, false FROM range(100, 140) t(i)
)
SELECT person_id, type, treated, activity_id, area_id, start_year, start_year AS end_year, 13 + draw(person_id, 'pa', 5) AS age,
       CASE draw(person_id, 'ps', 2) WHEN 0 THEN 'MALE' ELSE 'FEMALE' END AS sex, 'DANISH' AS origin,
       draw(person_id, 'pl', 3) = 0 AS lone_parent, draw(person_id, 'pw', 3) AS parents_active,
       draw(person_id, 'pc', 6) = 0 AS charged_before, draw(person_id, 'pj', 4) = 0 AS job_before, draw(person_id, 'pv', 20) AS absence_before,
       draw(person_id, 'oj', 3) = 0 AS in_leisure_job, draw(person_id, 'oe', 3) > 0 AS in_education, draw(person_id, 'oc', 8) = 0 AS charged, draw(person_id, 'oa', 25) AS absence
FROM person;

-- Forty actors: 20 of one type, 12, 6 and 2. Each answers for one theme.
CREATE TABLE actor_survey AS
SELECT i AS respondent_id, CASE WHEN i <= 20 THEN 'Kommune' WHEN i <= 32 THEN 'Boligorganisation' WHEN i <= 38 THEN 'Skole' ELSE 'Politi' END AS actor_type,
       CASE i % 2 WHEN 0 THEN 'EDUCATION' ELSE 'EMPLOYMENT' END AS theme, aspect, item,
       CASE WHEN draw(i * 10 + j, 'a?', 12) = 0 THEN NULL WHEN draw(i * 10 + j, 'a?', 12) = 1 THEN 9 ELSE 1 + least(4, draw(i * 10 + j, 'a', 7)) END AS answer,
       CASE WHEN i % 4 = 0 THEN 0.5 ELSE 1.25 END::DECIMAL(18, 4) AS weight
FROM range(1, 41) t(i), (VALUES (1, 'TARGET_GROUP', 'Aktiviteten når målgruppen'), (2, 'ORGANISATION', 'Ansvaret er klart'), (3, 'ORGANISATION', 'Samarbejdet virker')) q(j, aspect, item);
