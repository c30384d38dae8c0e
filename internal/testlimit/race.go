//go:build race

package testlimit

const race = true
