-- A number from 0 to n-1 that depends on the row and a salt, the same on every machine.
CREATE MACRO draw(i, salt, n) AS (('0x' || substr(md5(i::VARCHAR || salt), 1, 8))::BIGINT % n);

CREATE TABLE plan AS FROM (VALUES
    ('P1', 'Plan for Nordlunden', DATE '2011-04-01', DATE '2015-12-31'),
    ('P2', 'Plan for Ådalen', DATE '2013-01-01', NULL)
) t(plan_id, name, start, "end");

CREATE TABLE area AS FROM (VALUES
    ('A1', 'Nordlunden', '101', true, ['P1'], 4, 900, 'test'),
    ('A2', 'Ådalen', '751', true, ['P1', 'P2'], 3, 700, 'test'),
    ('A3', 'Zoneparken', '461', true, ['P2'], 2, 400, 'test'),
    ('A4', 'Bakkely', '461', false, NULL, NULL, NULL, 'test')
) t(area_id, name, municipality, supported, plan_ids, divisions, dwellings, source);

CREATE TABLE area_year AS FROM (VALUES
    ('A1', 2014, 2000, 250, 61.5, 44.1, 2.8, 51.2, 53.0, true, 'test'),
    ('A1', 2015, 2010, 255, 61.0, 43.0, 2.6, 51.0, 54.0, false, 'test'),
    ('A2', 2014, 1500, 210, 40.0, 30.0, 1.2, NULL, 70.0, false, 'test'),
    ('A2', 2016, 1490, 205, 40.5, 29.0, NULL, NULL, 71.0, NULL, 'test')
) t(area_id, year, residents, children_0_6, percent_non_western, percent_outside_work_and_education, percent_convicted, percent_basic_schooling_only, income_ratio, on_official_list, source);

CREATE TABLE child_year AS
WITH person AS (
    SELECT i AS child_id, draw(i, 'key', 4096) AS record_key, draw(i, 'born', 9) AS born, draw(i, 'sex', 2) AS sex,
           draw(i, 'area', 10) AS place, draw(i, 'origin', 20) AS origin
    FROM range(1500) t(i)
), year AS (
    SELECT *, y AS year, y - 2008 - born AS age, (child_id * 10000 + y)::VARCHAR AS row
    FROM person, range(2014, 2017) t(y)
    WHERE y - 2008 - born BETWEEN 0 AND 6
)
SELECT child_id, 1 AS n, record_key, year, age, CASE sex WHEN 0 THEN 'MALE' ELSE 'FEMALE' END AS sex, child_id // 2 AS family_id,
       CASE WHEN place < 3 THEN 'A' || (place + 1) END AS area_id,
       CASE WHEN place >= 3 AND draw(row, 'social?', 40) > 0 THEN draw(child_id, 'social', 5) = 0 END AS social_housing,
       CASE place WHEN 0 THEN '101' WHEN 1 THEN '751' WHEN 2 THEN '461' WHEN 3 THEN '101' WHEN 4 THEN '860' ELSE '265' END AS municipality,
       CASE WHEN origin < 13 THEN 'DANISH' WHEN origin < 14 THEN 'IMMIGRANT_WESTERN' WHEN origin < 15 THEN 'DESCENDANT_WESTERN'
            WHEN origin < 16 THEN 'IMMIGRANT_NON_WESTERN' ELSE 'DESCENDANT_NON_WESTERN' END AS origin,
       ['BOTH_PARENTS', 'MOTHER_AND_PARTNER', 'MOTHER_ALONE', 'FATHER_AND_PARTNER', 'FATHER_ALONE', 'NEITHER'][greatest(draw(row, 'family', 12) - 5, 1)] AS family_type,
       90000 + draw(row, 'income', 200000) AS equivalised_income,
       draw(row, 'wealth', 300000) - 100000 AS wealth,
       draw(row, 'student', 30) = 0 AS student_main_earner,
       'Q' || (draw(row, 'income', 200000) // 40000 + 1) AS income_group,
       CASE WHEN draw(row, 'poor?', 50) > 0 THEN draw(row, 'poor', 10) < CASE WHEN place < 3 THEN 3 ELSE 1 END END AS poor,
       poor AND wealth < 100000 AND NOT student_main_earner AS poor_sdg,
       draw(row, 'mother', 20) > 0 AS mother_present,
       CASE WHEN mother_present THEN ['EMPLOYED', 'EMPLOYED', 'IN_EDUCATION', 'NEITHER', 'UNKNOWN'][draw(row, 'mw', 5) + 1] END AS mother_status,
       CASE WHEN mother_present THEN ['BASIC', 'UPPER_SECONDARY', 'VOCATIONAL', 'SHORT_OR_MEDIUM', 'LONG', 'UNKNOWN'][draw(row, 'me', 6) + 1] END AS mother_education,
       CASE WHEN mother_present THEN draw(row, 'mc', 20) = 0 END AS mother_convicted,
       CASE WHEN mother_present THEN draw(row, 'ma', 25) = 0 END AS mother_alcohol,
       CASE WHEN mother_present AND draw(row, 'md?', 9) > 0 THEN draw(row, 'md', 30) = 0 END AS mother_drugs,
       CASE WHEN mother_present THEN draw(row, 'mp', 10) = 0 END AS mother_psychiatric,
       draw(row, 'father', 5) > 0 AS father_present,
       CASE WHEN father_present THEN ['EMPLOYED', 'EMPLOYED', 'IN_EDUCATION', 'NEITHER', 'UNKNOWN'][draw(row, 'fw', 5) + 1] END AS father_status,
       CASE WHEN father_present THEN ['BASIC', 'UPPER_SECONDARY', 'VOCATIONAL', 'SHORT_OR_MEDIUM', 'LONG', 'UNKNOWN'][draw(row, 'fe', 6) + 1] END AS father_education,
       CASE WHEN father_present THEN draw(row, 'fc', 10) = 0 END AS father_convicted,
       CASE WHEN father_present THEN draw(row, 'fa', 20) = 0 END AS father_alcohol,
       CASE WHEN father_present THEN draw(row, 'fd', 20) = 0 END AS father_drugs,
       CASE WHEN father_present THEN draw(row, 'fp', 12) = 0 END AS father_psychiatric,
       ['BOTH_ACTIVE', 'BOTH_ACTIVE', 'ONE_ACTIVE', 'NONE_ACTIVE', 'UNKNOWN'][draw(row, 'ps', 5) + 1] AS parents_status,
       CASE WHEN age BETWEEN 1 AND 5 THEN ['NONE', 'CHILDMINDER', 'NURSERY', 'KINDERGARTEN', 'INTEGRATED'][draw(row, 'dc', 5) + 1] END AS day_care_type,
       CASE WHEN age BETWEEN 1 AND 5 THEN draw(row, 'dc', 5) > 0 END AS enrolled
FROM year
ORDER BY year, child_id;

CREATE TABLE resident_year AS
-- Persons in the areas, and a published cross-tab for the rest of the country.
WITH row AS (
    SELECT i AS person_id, 1 AS n, i % 3 AS place, 2014 + i // 600 AS year, i::VARCHAR AS row FROM range(1800) t(i)
    UNION ALL
    SELECT NULL, 20 + i % 7, 9, 2014 + i // 200, 'cell' || i FROM range(600) t(i)
)
SELECT person_id, n, CASE WHEN person_id IS NOT NULL THEN draw(person_id, 'rk', 4096) END AS record_key, year,
       ['AGE_0_6', 'AGE_7_9', 'AGE_10_12', 'AGE_13_14', 'AGE_15_17', 'AGE_18_24', 'AGE_25_29', 'AGE_30_59', 'AGE_60_64', 'AGE_65_PLUS'][draw(row, 'age', 10) + 1] AS age_group,
       CASE draw(row, 'sex', 2) WHEN 0 THEN 'MALE' ELSE 'FEMALE' END AS sex,
       CASE WHEN draw(row, 'o', 3) = 0 THEN 'DESCENDANT_NON_WESTERN' ELSE 'DANISH' END AS origin,
       CASE WHEN place < 3 THEN 'A' || (place + 1) END AS area_id,
       CASE WHEN place >= 3 THEN draw(row, 'social', 6) = 0 END AS social_housing,
       CASE place WHEN 0 THEN '101' WHEN 1 THEN '751' WHEN 2 THEN '461' ELSE '265' END AS municipality,
       CASE WHEN age_group IN ('AGE_18_24', 'AGE_25_29', 'AGE_30_59', 'AGE_60_64') THEN ['EMPLOYED', 'IN_EDUCATION', 'NEITHER', 'UNKNOWN'][draw(row, 'w', 4) + 1] END AS work_status,
       CASE WHEN age_group = 'AGE_30_59' THEN ['BASIC_ONLY', 'MORE', 'UNKNOWN'][draw(row, 's', 3) + 1] END AS schooling,
       CASE WHEN age_group NOT IN ('AGE_0_6', 'AGE_7_9', 'AGE_10_12', 'AGE_13_14', 'AGE_15_17') THEN draw(row, 'c', 20) = 0 END AS convicted,
       CASE WHEN age_group NOT IN ('AGE_0_6', 'AGE_7_9', 'AGE_10_12', 'AGE_13_14') THEN 100000 + draw(row, 'g', 400000) END AS gross_income,
       CASE WHEN person_id IS NULL AND gross_income IS NOT NULL THEN 50000 END AS gross_income_sd
FROM row;
