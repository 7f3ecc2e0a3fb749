-- Persons by where they were and how they counted in two years. Only those who count in one of the
-- years are looked up in both.
WITH seen AS (
    SELECT {{.Person}} AS person, year = {{.Later}} AS later, {{.Here}} AS here,
           CASE WHEN NOT ({{.Counted}}) THEN 0 WHEN {{.Has}} THEN 2 ELSE 1 END AS state, {{.Age}} AS age
    FROM {{.From}}
    WHERE year IN ({{.Earlier}}, {{.Later}}) AND {{.Person}} IS NOT NULL
), followed AS (
    SELECT max(CASE WHEN NOT later THEN CASE WHEN here THEN 2 ELSE 1 END ELSE 0 END) AS was,
           max(CASE WHEN later THEN CASE WHEN here THEN 2 ELSE 1 END ELSE 0 END) AS becomes,
           max(CASE WHEN NOT later THEN state ELSE 0 END) AS before,
           max(CASE WHEN later THEN state ELSE 0 END) AS after,
           max(CASE WHEN NOT later THEN age END) AS age_before,
           max(CASE WHEN later THEN age END) AS age_after
    FROM seen
    WHERE person IN (SELECT person FROM seen WHERE state > 0)
    GROUP BY person
)
SELECT was, becomes, before, after,
       was = 0 AND coalesce(age_after < {{.Years}}, false) AS unborn,
       becomes = 0 AND coalesce(age_before + {{.Years}} > {{.Oldest}}, false) AS grown,
       count(*) AS n
FROM followed
GROUP BY ALL
ORDER BY ALL
