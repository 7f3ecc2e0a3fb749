package rerun

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/google/uuid"
)

// The Jupyter messaging protocol, version 5.3: a message is a list of frames, identities,
// a delimiter, the signature, then header, parent header, metadata and content as JSON.
const (
	protocolVersion = "5.3"
	delimiter       = "<IDS|MSG>"
)

type header struct {
	ID       string `json:"msg_id"`
	Username string `json:"username"`
	Session  string `json:"session"`
	Type     string `json:"msg_type"`
	Version  string `json:"version"`
	Date     string `json:"date"`
}

type message struct {
	Header  header
	Parent  header
	Content object
}

// wire signs and verifies the messages of one session.
type wire struct {
	key     []byte
	session string
}

func newWire() wire {
	return wire{key: []byte(uuid.NewString()), session: uuid.NewString()}
}

func (w wire) sign(parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, w.key)
	for _, part := range parts {
		mac.Write(part)
	}
	return []byte(hex.EncodeToString(mac.Sum(nil)))
}

// request is a new message of a type, with its id.
func (w wire) request(kind string, content object) (zmq4.Msg, string, error) {
	h := header{ID: uuid.NewString(), Username: "kvarter", Session: w.session, Type: kind,
		Version: protocolVersion, Date: time.Now().UTC().Format(time.RFC3339Nano)}
	head, err := json.Marshal(h)
	if err != nil {
		return zmq4.Msg{}, "", err
	}
	body, err := json.Marshal(content)
	if err != nil {
		return zmq4.Msg{}, "", err
	}
	empty := []byte("{}")
	return zmq4.NewMsgFrom([]byte(delimiter), w.sign(head, empty, empty, body), head, empty, empty, body), h.ID, nil
}

// parse reads a message of the kernel and checks its signature.
func (w wire) parse(frames [][]byte) (message, error) {
	var m message
	start := 0
	for start < len(frames) && string(frames[start]) != delimiter {
		start++
	}
	if len(frames) < start+6 {
		return m, fmt.Errorf("a message of the kernel has %d parts after its identities; it should have 6", len(frames)-start)
	}
	parts := frames[start+2 : start+6]
	if !hmac.Equal(w.sign(parts...), frames[start+1]) {
		return m, fmt.Errorf("a message of the kernel is signed with another key")
	}
	for i, into := range []any{&m.Header, &m.Parent} {
		if err := json.Unmarshal(parts[i], into); err != nil {
			return m, fmt.Errorf("the header of a message of the kernel: %w", err)
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(parts[3]))
	decoder.UseNumber()
	if err := decoder.Decode(&m.Content); err != nil {
		return m, fmt.Errorf("the content of a message of the kernel: %w", err)
	}
	return m, nil
}
