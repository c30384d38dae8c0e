package message

// Most keys and scalars are whole in the piece that they begin in, which is quicker to read than byte by byte
// from state to state. Whatever these functions do not understand they leave to the states: a value that is
// cut off, an escape in something that is kept, a number that is not an integer, anything that is wrong.

// wholeKey reads the key that begins at p[i], and the colon behind it. It returns the index behind them, or i if
// it has read nothing.
func (s *Scanner) wholeKey(p []byte, i int) int {
	here := elsewhere
	if len(s.stack) <= roomDepth {
		here = s.rooms[len(s.stack)-1]
	}
	var end int
	if here == elsewhere {
		end = stringEnd(p, i+1)
	} else {
		end = stringStop(p, i+1)
	}
	if end+1 >= len(p) || p[end] != '"' || p[end+1] != ':' {
		return i
	}
	if here != elsewhere {
		if end-i > maxKey {
			return i
		}
		s.found(here, p[i+1:end])
	}
	s.state = wantValue
	return end + 2
}

// wholeValue reads the string, integer or literal that begins with c at p[i], and the comma behind it in an
// object. It returns the index behind them, or i if it has read nothing.
func (s *Scanner) wholeValue(p []byte, i int, c byte) int {
	if len(s.stack) == 0 {
		return i
	}
	end := i
	switch {
	case c == '"':
		if s.next == none || !kept[s.next] {
			end = stringEnd(p, i+1)
		} else {
			end = stringStop(p, i+1)
		}
		if end >= len(p) || p[end] != '"' {
			return i
		}
		end++
	case '1' <= c && c <= '9':
		for end++; end < len(p) && '0' <= p[end] && p[end] <= '9'; end++ {
		}
		if end >= len(p) || !ends(p[end]) {
			return i
		}
	case c == 't' && len(p)-i > 4 && string(p[i:i+4]) == "true", c == 'n' && len(p)-i > 4 && string(p[i:i+4]) == "null":
		end += 4
	case c == 'f' && len(p)-i > 5 && string(p[i:i+5]) == "false":
		end += 5
	default:
		return i
	}
	if m := s.next; m != none {
		if kept[m] && end-i > MaxMember {
			return i
		}
		s.next = none
		s.env.open(m, c, s.off+int64(i))
		if kept[m] {
			s.env.text = append(s.env.text, p[i:end]...)
		}
		s.env.close(m, s.off+int64(end))
	}
	s.state = wantEnd
	if end < len(p) && p[end] == ',' && s.stack[len(s.stack)-1] == '{' {
		s.state = wantKey
		end++
	}
	return end
}
