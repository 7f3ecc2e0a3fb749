SELECT area_id, name, municipality, supported, {{if .plan_ids}}coalesce(plan_ids, []::VARCHAR[]){{else}}[]::VARCHAR[]{{end}},
       {{if .divisions}}divisions{{else}}NULL{{end}}, {{if .dwellings}}dwellings{{else}}NULL{{end}}, source
FROM area
ORDER BY area_id
