-- Persons by where they were and how they counted in two years. A place is where a row of the cohort's
-- place stands, null elsewhere. Only those who count in one of the years are looked up in both.
WITH seen AS (
    SELECT {{.Person}} AS person, year = {{.Later}} AS later, CASE WHEN {{.Here}} THEN {{.Place}} END AS place,
           CASE WHEN NOT ({{.Counted}}) THEN 0 WHEN {{.Has}} THEN 2 ELSE 1 END AS state, {{.Age}} AS age
    FROM {{.From}}
    WHERE year IN ({{.Earlier}}, {{.Later}}) AND {{.Person}} IS NOT NULL
), followed AS (
    SELECT max(place) FILTER (NOT later) AS place_before, max(place) FILTER (later) AS place_after,
           bool_or(NOT later) AS is_before, bool_or(later) AS is_after,
           max(CASE WHEN NOT later THEN state ELSE 0 END) AS before,
           max(CASE WHEN later THEN state ELSE 0 END) AS after,
           max(CASE WHEN NOT later THEN age END) AS age_before,
           max(CASE WHEN later THEN age END) AS age_after
    FROM seen
    WHERE person IN (SELECT person FROM seen WHERE state > 0)
    GROUP BY person
)
SELECT place_before, place_after, is_before, is_after, before, after,
       NOT is_before AND coalesce(age_after - {{.Years}} < {{.Youngest}}, false) AS unborn,
       NOT is_after AND coalesce(age_before + {{.Years}} > {{.Oldest}}, false) AS grown,
       count(*) AS n
FROM followed
GROUP BY ALL
ORDER BY ALL
