package nb

import (
	"encoding/json"
	"slices"
)

// The kernel receives a display with encoding/gob, which has no null: an object below
// leaves out what is not there, and lists are []any.
type object = map[string]any

const vegaWidth = 520 // CSS pixels between the axes; labels come on top

// vegaLite is the chart as a Vega-Lite 5 specification with its data inside.
func (p *plan) vegaLite() object {
	spec := object{
		"$schema": "https://vega.github.io/schema/vega-lite/v5.json",
		"data":    object{"values": p.values()},
		"title":   p.vegaTitle(),
		"width":   vegaWidth,
		"config": object{
			"font": "Helvetica, Arial, sans-serif",
			"view": object{"stroke": "transparent"},
			"axis": object{"labelColor": grey, "titleColor": grey, "gridColor": faint, "titleFontWeight": "normal",
				"labelFontSize": 11, "titleFontSize": 12, "labelLimit": 0, "domainColor": grey, "tickColor": grey},
		},
	}
	var layers []any
	switch p.Kind {
	case Bars:
		spec["height"] = object{"step": 20, "for": "offset"}
		if len(p.series) == 1 {
			spec["height"] = object{"step": 28}
		}
		layers = p.vegaBars()
	case Dots:
		spec["height"] = object{"step": 34}
		if p.sideBySide() {
			spec["height"] = object{"step": 17, "for": "offset"}
		}
		layers = p.vegaDots()
	case Lines:
		spec["height"] = 260
		layers = p.vegaLines()
	}
	spec["layer"] = append(layers, p.vegaFooter())
	return spec
}

// values is one object for each point. A point without a value has the reason in `shown`.
func (p *plan) values() []any {
	var values []any
	for _, m := range p.marks {
		row := object{"by": m.by, "shown": m.shown}
		if p.Kind == Lines {
			row["by"] = m.at
		}
		if len(p.series) > 1 {
			row["series"] = m.series
		}
		if m.n != nil {
			row["n"] = *m.n
		}
		if m.missing != "" {
			row["shown"] = m.missing
			values = append(values, row)
			continue
		}
		row["value"], row["label"], row["end"] = m.value, p.Value.Format.String(m.value), m.end()
		if m.bounded {
			row["lower"], row["upper"] = m.lower, m.upper
		}
		values = append(values, row)
	}
	return values
}

func (p *plan) vegaTitle() object {
	title := object{"text": list(wrap(titleFace, p.Title, 0.9*width)), "anchor": "start", "frame": "group", "fontSize": 16,
		"color": ink, "offset": 12}
	if p.Data.Synthetic {
		title["subtitle"] = syntheticNotice
		title["subtitleColor"] = "#9A4F00"
		title["subtitleFontStyle"] = "bold"
		title["subtitlePadding"] = 6
	}
	return title
}

// vegaFooter is a layer of its own that writes n, source and note below the axis.
func (p *plan) vegaFooter() object {
	var lines []string
	for _, line := range p.footer {
		lines = append(lines, wrap(smallFace, line, width-4*margin)...)
	}
	return object{
		"data": object{"values": []any{object{}}},
		"mark": object{"type": "text", "text": list(lines), "x": 0, "y": object{"expr": "height + 48"},
			"align": "left", "baseline": "top", "fontSize": 11, "lineHeight": 15, "color": grey, "tooltip": false},
	}
}

// categories is the axis down the left side of bars and dots.
func (p *plan) categories() object {
	axis := object{"title": p.By.Title, "titleAngle": 0, "titleAlign": "right", "titleAnchor": "end", "titleY": -6,
		"labelColor": ink, "ticks": false, "domain": false, "labelPadding": 8,
		"titleX": -8}
	return object{"field": "by", "type": "nominal", "sort": list(p.by), "axis": axis}
}

// measureAxis is the axis of the values, named by the field; it is that of the picture.
func (p *plan) measureAxis(field string) object {
	scale, marks := p.rowScale(0, vegaWidth*0.75)
	if p.Kind == Lines {
		scale, marks = p.lineScale(0, 1)
	}
	return object{"field": field, "type": "quantitative", "scale": object{"domain": []any{scale.low, scale.high},
		"nice": false},
		"axis": object{"title": p.Value.label(), "values": numbers(marks),
			"labelExpr": p.Value.Format.shortest(marks).vega("datum.value"), "labelFlush": false}}
}

// colour tells the series apart, and it alone has a legend.
func (p *plan) colour() object {
	if len(p.series) < 2 {
		return object{"value": palette[0]}
	}
	return object{"field": "series", "type": "nominal", "sort": list(p.series),
		"scale": object{"domain": list(p.series), "range": list(palette[:len(p.series)])},
		"legend": object{"title": "", "orient": "top", "direction": "horizontal", "columns": 3, "labelLimit": 400,
			"labelFontSize": 12, "labelColor": ink, "symbolOpacity": 1, "symbolType": "square"}}
}

// bySeries tells the series apart by one more channel, for readers who do not see colours.
func (p *plan) bySeries(values []any) object {
	var conditions []any
	for i := 1; i < len(p.series); i++ {
		name, _ := json.Marshal(p.series[i])
		conditions = append(conditions, object{"test": "datum.series === " + string(name), "value": values[i]})
	}
	if len(conditions) == 0 {
		return object{"value": values[0]}
	}
	return object{"condition": conditions, "value": values[0]}
}

// Shapes and dashes in the order of the palette, as in the picture.
var (
	vegaShapes = []any{"circle", "square", "triangle-up", "circle", "diamond", "triangle-down", "cross"}
	vegaDashes = []any{[]any{1, 0}, []any{6, 3}, []any{2, 3}, []any{8, 3, 2, 3}, []any{4, 2}, []any{10, 4}, []any{2, 6}}
)

func (p *plan) tooltip() []any {
	by := object{"field": "by", "type": "nominal", "title": p.By.Title}
	tips := []any{by}
	if len(p.series) > 1 {
		tips = append(tips, object{"field": "series", "type": "nominal", "title": "Series"})
	}
	tips = append(tips, object{"field": "shown", "type": "nominal", "title": p.Value.Title})
	for _, m := range p.marks {
		if m.n != nil {
			return append(tips, object{"field": "n", "type": "quantitative", "title": "n", "format": ",d"})
		}
	}
	return tips
}

const hasValue, hasInterval = "isValid(datum.value)", "isValid(datum.lower)"

func (p *plan) vegaBars() []any {
	encode := func(extra object) object {
		e := object{"y": p.categories(), "tooltip": p.tooltip()}
		if len(p.series) > 1 {
			e["yOffset"] = object{"field": "series", "type": "nominal", "sort": list(p.series)}
		}
		for k, v := range extra {
			e[k] = v
		}
		return e
	}
	layers := []any{object{
		"transform": []any{object{"filter": hasValue}},
		"mark":      object{"type": "bar", "height": object{"band": 0.86}},
		"encoding":  encode(object{"x": p.measureAxis("value"), "color": p.colour()}),
	}}
	if p.bounded {
		layers = append(layers, object{
			"transform": []any{object{"filter": hasInterval}},
			"mark":      object{"type": "errorbar", "ticks": object{"size": 6}, "color": ink},
			"encoding":  encode(object{"x": p.measureAxis("lower"), "x2": object{"field": "upper"}}),
		})
	}
	return append(layers, object{
		"transform": []any{object{"filter": hasValue}, object{"filter": "datum.value >= 0"}},
		"mark":      object{"type": "text", "align": "left", "dx": 6, "fontSize": 11, "fontWeight": "bold", "color": ink},
		"encoding":  encode(object{"x": p.measureAxis("end"), "text": object{"field": "label"}}),
	}, object{
		"transform": []any{object{"filter": hasValue}, object{"filter": "datum.value < 0"},
			object{"calculate": "isValid(datum.lower) ? datum.lower : datum.value", "as": "start"}},
		"mark":     object{"type": "text", "align": "right", "dx": -6, "fontSize": 11, "fontWeight": "bold", "color": ink},
		"encoding": encode(object{"x": p.measureAxis("start"), "text": object{"field": "label"}}),
	}, object{
		"transform": []any{object{"filter": "!" + hasValue}},
		"mark":      object{"type": "text", "align": "left", "dx": 6, "fontSize": 11, "fontStyle": "italic", "color": grey},
		"encoding":  encode(object{"x": object{"datum": 0, "type": "quantitative"}, "text": object{"field": "shown"}}),
	})
}

func (p *plan) vegaDots() []any {
	encode := func(extra object) object {
		e := object{"y": p.categories(), "tooltip": p.tooltip()}
		if p.sideBySide() {
			e["yOffset"] = object{"field": "series", "type": "nominal", "sort": list(p.series)}
		}
		for k, v := range extra {
			e[k] = v
		}
		return e
	}
	var layers []any
	if len(p.series) > 1 && !p.sideBySide() {
		layers = append(layers, object{
			"transform": []any{object{"filter": hasValue}, object{
				"aggregate": []any{object{"op": "min", "field": "value", "as": "first"},
					object{"op": "max", "field": "value", "as": "last"}},
				"groupby": []any{"by"}}},
			"mark":     object{"type": "rule", "strokeWidth": 4, "color": "#C5CDD5"},
			"encoding": object{"y": p.categories(), "x": p.measureAxis("first"), "x2": object{"field": "last"}},
		})
	}
	if p.bounded {
		layers = append(layers, object{
			"transform": []any{object{"filter": hasInterval}},
			"mark":      object{"type": "errorbar", "ticks": object{"size": 6}},
			"encoding":  encode(object{"x": p.measureAxis("lower"), "x2": object{"field": "upper"}, "color": p.colour()}),
		})
	}
	layers = append(layers, object{
		"transform": []any{object{"filter": hasValue}},
		"mark":      object{"type": "point", "filled": true, "size": 80, "opacity": 1},
		"encoding":  encode(object{"x": p.measureAxis("value"), "color": p.colour(), "shape": p.bySeries(vegaShapes)}),
	})
	if p.sideBySide() {
		layers = append(layers, object{
			"transform": []any{object{"filter": hasValue}},
			"mark":      object{"type": "text", "align": "left", "dx": 8, "fontSize": 11, "fontWeight": "bold", "color": ink},
			"encoding":  encode(object{"x": p.measureAxis("end"), "text": object{"field": "label"}}),
		})
	}
	return layers
}

func (p *plan) vegaLines() []any {
	first, last := p.years()
	x := object{"field": "by", "type": "quantitative", "scale": object{"domain": []any{first, last}, "nice": false},
		"axis": object{"title": p.By.label(), "values": numbers(ticks(first, last, p.By.Format.whole(), 12)),
			"labelExpr": p.By.Format.vega("datum.value"), "labelFlush": false, "grid": false}}
	var layers []any
	if p.bounded {
		layers = append(layers, object{
			"mark":     object{"type": "area", "opacity": 0.18},
			"encoding": object{"x": x, "y": p.measureAxis("lower"), "y2": object{"field": "upper"}, "color": p.colour()},
		})
	}
	for _, series := range p.series {
		for _, run := range p.runs(series) {
			if m := run[0]; len(run) == 1 && m.bounded { // a band has no width here
				layers = append(layers, object{
					"data":     object{"values": []any{object{"by": m.at, "lower": m.lower, "upper": m.upper}}},
					"mark":     object{"type": "rule", "color": palette[slices.Index(p.series, series)]},
					"encoding": object{"x": x, "y": p.measureAxis("lower"), "y2": object{"field": "upper"}},
				})
			}
		}
	}
	line := object{"x": x, "y": p.measureAxis("value"), "color": p.colour(), "tooltip": p.tooltip(),
		"strokeDash": p.bySeries(vegaDashes)}
	return append(layers, object{
		"mark":     object{"type": "line", "strokeWidth": 2, "point": object{"size": 40, "filled": true}},
		"encoding": line,
	})
}

func list(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}

func numbers(xs []float64) []any {
	out := make([]any, len(xs))
	for i, x := range xs {
		out[i] = x
	}
	return out
}
