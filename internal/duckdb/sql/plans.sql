SELECT plan_id, name, {{if .start}}start::VARCHAR{{else}}NULL{{end}}, {{if .end}}"end"::VARCHAR{{else}}NULL{{end}}
FROM plan
ORDER BY plan_id
