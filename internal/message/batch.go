package message

import "encoding/json"

// Split returns the messages of a batch, each with the bytes that it has there. The caller frees
// them, and still frees m.
func Split(m *Message) ([]*Message, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(m.Bytes(), &elements); err != nil {
		return nil, err
	}
	split := make([]*Message, 0, len(elements))
	for _, element := range elements {
		one, err := Parse(element)
		if err != nil { // not reached: Unmarshal has checked them
			return nil, err
		}
		split = append(split, one)
	}
	return split, nil
}
