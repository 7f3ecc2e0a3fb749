SELECT area_id, year,
       {{range .Columns}}{{.}},
       {{end}}source
FROM area_year
ORDER BY area_id, year
