// Package data embeds the data contract, the law and the study's findings, so that a binary carries
// what it was built with.
package data

import _ "embed"

// Contract is contract.yaml: every table, column, code, dimension, indicator and measure.
//
//go:embed contract.yaml
var Contract []byte

// Law is law.yaml: the official criteria for housing areas, as they stood.
//
//go:embed law.yaml
var Law []byte

// Findings is findings.yaml: what the study states, with its figures and the questions that give them.
//
//go:embed findings.yaml
var Findings []byte
