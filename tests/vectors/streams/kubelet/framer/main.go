// What Kubernetes' SPDY library reads: one direction's bytes in hex on each line in, the frames as JSON on each line out.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"strings"

	"github.com/moby/spdystream/spdy"
)

type frame map[string]any

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		raw, err := hex.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		out.Encode(read(raw))
	}
}

// read reads frames until the first error; the end of the bytes is one, and is not told.
func read(raw []byte) map[string]any {
	framer, err := spdy.NewFramer(io.Discard, bytes.NewReader(raw))
	if err != nil {
		panic(err)
	}
	frames := []frame{}
	for {
		next, err := framer.ReadFrame()
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return map[string]any{"frames": frames, "error": ""}
		}
		if err != nil {
			return map[string]any{"frames": frames, "error": err.Error()}
		}
		frames = append(frames, told(next))
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
