package synth

// A municipality weighs how many children and residents the synthetic register places in it.
type municipality struct {
	code      string
	region    int
	residents int // persons, 2016
	children  int // aged 0-6, 2016
	areas     int // supported areas placed here, assumed
}

const (
	hovedstaden = iota
	sjaelland
	syddanmark
	midtjylland
	nordjylland
	regions
)

// municipalities are the 98 of Denmark, Christiansø left out. Residents and children aged 0-6 in
// 2016: Danmarks Statistik, population by municipality and single year of age. They are used as
// weights, so a generated municipality comes near its figure and need not equal it. No public
// list of the supported areas was found: how many each municipality has is assumed (A), by the
// size of its social housing.
var municipalities = [...]municipality{
	{"101", hovedstaden, 594535, 51096, 11}, {"147", hovedstaden, 104180, 8679, 0}, {"151", hovedstaden, 48215, 3706, 1},
	{"153", hovedstaden, 35410, 2895, 3}, {"155", hovedstaden, 14206, 1137, 0}, {"157", hovedstaden, 75518, 5922, 0},
	{"159", hovedstaden, 68267, 5825, 2}, {"161", hovedstaden, 22475, 1851, 0}, {"163", hovedstaden, 28423, 2494, 1},
	{"165", hovedstaden, 27792, 2220, 3}, {"167", hovedstaden, 52918, 4564, 2}, {"169", hovedstaden, 50139, 4270, 4},
	{"173", hovedstaden, 55111, 4290, 0}, {"175", hovedstaden, 38186, 3218, 1}, {"183", hovedstaden, 22536, 2042, 2},
	{"185", hovedstaden, 42904, 3557, 0}, {"187", hovedstaden, 15556, 1460, 0}, {"190", hovedstaden, 40486, 3385, 1},
	{"201", hovedstaden, 24828, 1866, 0}, {"210", hovedstaden, 40223, 2912, 2}, {"217", hovedstaden, 62442, 3873, 3},
	{"219", hovedstaden, 49903, 3763, 0}, {"223", hovedstaden, 24979, 1583, 0}, {"230", hovedstaden, 55915, 4170, 0},
	{"240", hovedstaden, 42907, 3425, 0}, {"250", hovedstaden, 44909, 2875, 0}, {"253", sjaelland, 49717, 3750, 0},
	{"259", sjaelland, 59974, 4278, 2}, {"260", hovedstaden, 31180, 1860, 0}, {"265", sjaelland, 86657, 6178, 2},
	{"269", sjaelland, 21958, 1742, 0}, {"270", hovedstaden, 41239, 2377, 0}, {"306", sjaelland, 32940, 1725, 0},
	{"316", sjaelland, 70465, 4977, 2}, {"320", sjaelland, 35734, 2143, 0}, {"326", sjaelland, 48846, 3154, 0},
	{"329", sjaelland, 34170, 2458, 1}, {"330", sjaelland, 78534, 5287, 2}, {"336", sjaelland, 22379, 1398, 0},
	{"340", sjaelland, 29631, 1980, 0}, {"350", sjaelland, 27431, 1897, 0}, {"360", sjaelland, 42528, 2339, 1},
	{"370", sjaelland, 82474, 5622, 2}, {"376", sjaelland, 61187, 3626, 2}, {"390", sjaelland, 45993, 2621, 0},
	{"400", hovedstaden, 39740, 2038, 0}, {"410", syddanmark, 38041, 2506, 0}, {"420", syddanmark, 41413, 2747, 0},
	{"430", syddanmark, 51329, 3459, 0}, {"440", syddanmark, 23834, 1571, 0}, {"450", syddanmark, 32036, 2154, 1},
	{"461", syddanmark, 199235, 14836, 7}, {"479", syddanmark, 58393, 3845, 2}, {"480", syddanmark, 29374, 1937, 0},
	{"482", syddanmark, 12592, 578, 0}, {"492", syddanmark, 6231, 263, 0}, {"510", syddanmark, 56082, 3834, 1},
	{"530", syddanmark, 26562, 1937, 0}, {"540", syddanmark, 74804, 4971, 2}, {"550", syddanmark, 37981, 2559, 0},
	{"561", syddanmark, 115987, 8679, 4}, {"563", syddanmark, 3337, 175, 0}, {"573", syddanmark, 50449, 3663, 0},
	{"575", syddanmark, 42945, 3240, 0}, {"580", syddanmark, 59077, 3948, 1}, {"607", syddanmark, 50844, 3782, 2},
	{"615", midtjylland, 88353, 7323, 3}, {"621", syddanmark, 91745, 7166, 2}, {"630", syddanmark, 112494, 8966, 2},
	{"657", midtjylland, 88118, 6865, 1}, {"661", midtjylland, 57949, 4583, 1}, {"665", midtjylland, 20385, 1128, 0},
	{"671", midtjylland, 21494, 1361, 0}, {"706", midtjylland, 41877, 2744, 0}, {"707", midtjylland, 38039, 2381, 0},
	{"710", midtjylland, 47767, 3952, 0}, {"727", midtjylland, 22209, 1507, 0}, {"730", midtjylland, 97840, 7088, 3},
	{"740", midtjylland, 91080, 7031, 1}, {"741", midtjylland, 3753, 166, 0}, {"746", midtjylland, 59983, 5192, 0},
	{"751", midtjylland, 331505, 26085, 9}, {"756", midtjylland, 41080, 3239, 0}, {"760", midtjylland, 57060, 3999, 0},
	{"766", midtjylland, 46365, 3424, 0}, {"773", nordjylland, 20707, 1334, 0}, {"779", midtjylland, 46715, 3126, 0},
	{"787", nordjylland, 44011, 3050, 0}, {"791", midtjylland, 96166, 7546, 1}, {"810", nordjylland, 36115, 2664, 0},
	{"813", nordjylland, 60478, 3640, 1}, {"820", nordjylland, 37282, 2616, 0}, {"825", nordjylland, 1825, 72, 0},
	{"840", nordjylland, 29290, 2464, 0}, {"846", nordjylland, 42132, 2821, 0}, {"849", nordjylland, 38621, 2714, 0},
	{"851", nordjylland, 210276, 14946, 5}, {"860", nordjylland, 65367, 4412, 1},
}
