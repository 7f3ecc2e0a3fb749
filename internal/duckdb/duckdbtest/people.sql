-- Young people and adults: persons in the areas and in other social housing, who are followed, and groups of the others.
CREATE TABLE youth_year AS
WITH row AS (
    SELECT i AS person_id, 1 AS n, draw(i, 'place', 5) AS place, 7 + draw(i, 'age', 16) + y - 2014 AS age, y AS year, i::VARCHAR || '/' || y AS row, i::VARCHAR AS who
    FROM range(5000, 6500) t(i), range(2014, 2017) u(y)
    UNION ALL
    SELECT NULL, 5 + i % 9, 9, 7 + i % 18, 2014 + i // 400, 'group' || i, 'group' || i FROM range(1200) t(i)
)
SELECT person_id, n, CASE WHEN person_id IS NOT NULL THEN draw(who, 'rk', 4096) END AS record_key, year, age,
       CASE draw(who, 'sex', 2) WHEN 0 THEN 'MALE' ELSE 'FEMALE' END AS sex,
       CASE draw(who, 'o', 4) WHEN 0 THEN 'DESCENDANT_NON_WESTERN' WHEN 1 THEN 'IMMIGRANT_WESTERN' ELSE 'DANISH' END AS origin,
       person_id // 2 AS family_id,
       CASE WHEN place < 3 AND draw(row, 'moves', 9) > 0 THEN 'A' || (place + 1) END AS area_id,
       CASE WHEN area_id IS NULL THEN person_id IS NOT NULL END AS social_housing,
       CASE place WHEN 0 THEN '101' WHEN 1 THEN '751' WHEN 2 THEN '461' WHEN 3 THEN '860' ELSE '265' END AS municipality,
       ['BOTH_ACTIVE', 'ONE_ACTIVE', 'NONE_ACTIVE', 'UNKNOWN'][draw(row, 'ps', 4) + 1] AS parents_status,
       ['BASIC_ONLY', 'MORE', 'UNKNOWN'][draw(who, 'pe', 3) + 1] AS parents_schooling,
       CASE WHEN age <= 16 THEN draw(row, 'ab', 200) END AS absence,
       CASE WHEN age <= 16 AND n > 1 THEN 40 END AS absence_sd,
       CASE WHEN age = 16 THEN draw(row, 'ex', 8) > 0 END AS exams_taken,
       CASE WHEN exams_taken THEN draw(row, 'mm', 120) END AS mean_mark,
       CASE WHEN exams_taken AND n > 1 THEN 22 END AS mean_mark_sd,
       CASE WHEN exams_taken THEN draw(row, 'mm', 120) > 20 END AS passed,
       CASE WHEN age >= 16 THEN draw(who, 'us', 10) > 1 END AS upper_secondary_begun,
       CASE WHEN age >= 18 THEN draw(who, 'us', 10) > 4 END AS upper_secondary_completed,
       CASE WHEN age BETWEEN 13 AND 17 THEN draw(row, 'job', 3) = 0 END AS leisure_job,
       CASE WHEN age >= 16 THEN ['EMPLOYED', 'IN_EDUCATION', 'NEITHER', 'UNKNOWN'][draw(row, 'w', 4) + 1] END AS work_status,
       CASE WHEN age BETWEEN 10 AND 14 THEN greatest(draw(row, 'crime', 12) - 9, 0) END AS suspicions,
       CASE WHEN age BETWEEN 15 AND 20 THEN greatest(draw(row, 'crime', 12) - 9, 0) END AS charges,
       CASE WHEN age BETWEEN 10 AND 20 THEN draw(row, 'crime', 12) > 9 END AS offence,
       CASE WHEN age BETWEEN 10 AND 20 THEN draw(row, 'crime', 12) > 10 END AS first_offence,
       CASE WHEN offence AND year < 2016 THEN draw(row, 'again', 3) = 0 END AS relapsed
FROM row
WHERE age <= 24;

CREATE TABLE adult_year AS
WITH row AS (
    SELECT i AS person_id, 1 AS n, draw(i, 'place', 5) AS place, 18 + draw(i, 'age', 46) + y - 2014 AS age, y AS year, i::VARCHAR || '/' || y AS row, i::VARCHAR AS who
    FROM range(7000, 8200) t(i), range(2014, 2017) u(y)
    UNION ALL
    SELECT NULL, 10 + i % 9, 9, NULL, 2014 + i // 300, 'group' || i, 'group' || i FROM range(900) t(i)
)
SELECT person_id, n, CASE WHEN person_id IS NOT NULL THEN draw(who, 'rk', 4096) END AS record_key, year, age,
       CASE WHEN age < 25 THEN 'AGE_18_24' WHEN age < 30 THEN 'AGE_25_29' WHEN age < 60 THEN 'AGE_30_59' WHEN age < 65 THEN 'AGE_60_64'
            ELSE ['AGE_18_24', 'AGE_25_29', 'AGE_30_59', 'AGE_60_64'][draw(row, 'g', 4) + 1] END AS age_group,
       CASE draw(who, 'sex', 2) WHEN 0 THEN 'MALE' ELSE 'FEMALE' END AS sex,
       CASE draw(who, 'o', 4) WHEN 0 THEN 'DESCENDANT_NON_WESTERN' WHEN 1 THEN 'IMMIGRANT_WESTERN' ELSE 'DANISH' END AS origin,
       person_id // 2 AS family_id,
       CASE WHEN place < 3 AND draw(row, 'moves', 9) > 0 THEN 'A' || (place + 1) END AS area_id,
       CASE WHEN area_id IS NULL THEN person_id IS NOT NULL END AS social_housing,
       CASE place WHEN 0 THEN '101' WHEN 1 THEN '751' WHEN 2 THEN '461' WHEN 3 THEN '860' ELSE '265' END AS municipality,
       ['EMPLOYED', 'IN_EDUCATION', 'NEITHER', 'UNKNOWN'][draw(row, 'w', 4) + 1] AS work_status,
       ['BASIC', 'UPPER_SECONDARY', 'VOCATIONAL', 'SHORT_OR_MEDIUM', 'LONG', 'UNKNOWN'][draw(who, 'e', 6) + 1] AS education,
       draw(row, 's', 5) = 0 AS public_support, draw(row, 'c', 20) = 0 AS convicted,
       100000 + draw(row, 'g', 400000) AS gross_income, CASE WHEN n > 1 THEN 50000 END AS gross_income_sd
FROM row
WHERE age IS NULL OR age <= 64;
