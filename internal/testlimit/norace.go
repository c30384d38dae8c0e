//go:build !race

package testlimit

const race = false
