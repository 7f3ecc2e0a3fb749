SELECT activity_id, name, plan_id, area_id, theme, type,
       {{if .start}}start::VARCHAR{{else}}NULL{{end}}, {{if .end}}"end"::VARCHAR{{else}}NULL{{end}},
       {{if .age_min}}age_min{{else}}NULL{{end}}, {{if .age_max}}age_max{{else}}NULL{{end}}, {{if .capacity}}capacity{{else}}NULL{{end}}
FROM activity
ORDER BY activity_id
