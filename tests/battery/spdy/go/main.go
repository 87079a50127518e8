// What Kubernetes' SPDY library reads. In: the bytes of one direction, each behind its length in four bytes. Out: for
// each a line of JSON with the frames, where each ended, and why it stopped.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/moby/spdystream/spdy"
)

type frame map[string]any

type reading struct {
	Frames []frame `json:"frames"`
	Ends   []int   `json:"ends"`
	Error  string  `json:"error"`
}

func main() {
	in := bufio.NewReader(os.Stdin)
	buffered := bufio.NewWriter(os.Stdout)
	defer buffered.Flush()
	out := json.NewEncoder(buffered)
	for {
		var length uint32
		if err := binary.Read(in, binary.BigEndian, &length); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
		raw := make([]byte, length)
		if _, err := io.ReadFull(in, raw); err != nil {
			panic(err)
		}
		out.Encode(read(raw))
	}
}

// read reads frames until the first error; the end of the bytes is one, and is not told.
func read(raw []byte) (all reading) {
	all = reading{Frames: []frame{}, Ends: []int{}}
	defer func() {
		if cause := recover(); cause != nil {
			all.Error = fmt.Sprintf("panic: %v", cause)
		}
	}()
	left := bytes.NewReader(raw)
	framer, err := spdy.NewFramer(io.Discard, left)
	if err != nil {
		panic(err)
	}
	for {
		next, err := framer.ReadFrame()
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return all
		}
		if err != nil {
			all.Error = err.Error()
			return all
		}
		all.Frames = append(all.Frames, told(next))
		all.Ends = append(all.Ends, len(raw)-left.Len())
	}
}

func told(next spdy.Frame) frame {
	switch f := next.(type) {
	case *spdy.SynStreamFrame:
		return frame{"frame": "SynStream", "stream": f.StreamId, "fin": f.CFHeader.Flags&1 != 0, "headers": headers(f.Headers)}
	case *spdy.SynReplyFrame:
		return frame{"frame": "SynReply", "stream": f.StreamId, "fin": f.CFHeader.Flags&1 != 0, "headers": headers(f.Headers)}
	case *spdy.HeadersFrame:
		return frame{"frame": "Headers", "stream": f.StreamId, "fin": f.CFHeader.Flags&1 != 0, "headers": headers(f.Headers)}
	case *spdy.RstStreamFrame:
		return frame{"frame": "RstStream", "stream": f.StreamId, "status": f.Status}
	case *spdy.SettingsFrame:
		entries := [][3]uint32{}
		for _, entry := range f.FlagIdValues {
			entries = append(entries, [3]uint32{uint32(entry.Flag), uint32(entry.Id), entry.Value})
		}
		return frame{"frame": "Settings", "entries": entries}
	case *spdy.PingFrame:
		return frame{"frame": "Ping", "id": f.Id}
	case *spdy.GoAwayFrame:
		return frame{"frame": "Goaway", "last": f.LastGoodStreamId, "status": f.Status}
	case *spdy.WindowUpdateFrame:
		return frame{"frame": "WindowUpdate", "stream": f.StreamId, "delta": f.DeltaWindowSize}
	case *spdy.DataFrame:
		return frame{"frame": "Data", "stream": f.StreamId, "fin": f.Flags&1 != 0, "data": hex.EncodeToString(f.Data)}
	}
	panic("a frame of no kind")
}

func headers(all map[string][]string) map[string]string {
	joined := map[string]string{}
	for name, values := range all {
		joined[strings.ToLower(name)] = hex.EncodeToString([]byte(strings.Join(values, "\x00")))
	}
	return joined
}
