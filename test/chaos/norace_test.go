//go:build chaos && !race

package chaos

const raced = false
