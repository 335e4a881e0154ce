package redirect

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"

	"github.com/iomete/saml/internal/fault"
)

// decode returns the message in a parameter of the HTTP-Redirect binding: percent-encoded base64 of
// raw DEFLATE (Bindings §3.4.4.1; RFC 1951). limit is the maximum size of the message.
func decode(raw string, limit int) ([]byte, error) {
	data, err := base64Of(raw, "message")
	if err != nil {
		return nil, err
	}
	// One byte more than allowed is read, so a small message cannot unpack into a huge one. What
	// stands behind the end of the compressed data is ignored, as zlib does: some senders cut off
	// the head of a zlib frame and leave its checksum.
	message, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), int64(limit)+1))
	switch {
	case len(message) > limit:
		return nil, &fault.Fault{Code: fault.TooLarge,
			Message: "the message on the redirect is too large when it is unpacked",
			Got:     fmt.Sprintf("more than %d bytes", limit), Want: fmt.Sprintf("at most %d bytes", limit)}
	case err != nil:
		return nil, notDeflated(data)
	}
	return message, nil
}

// notDeflated says what data seems to be that is not DEFLATE. It is asked only about data that
// cannot be unpacked, because DEFLATE can begin with any of these bytes too.
func notDeflated(data []byte) error {
	f := &fault.Fault{Code: fault.Deflate, Want: "raw DEFLATE (RFC 1951), in base64"}
	text := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("<")):
		f.Message, f.Got = "the message on the redirect is not compressed", "XML in base64"
	case len(data) > 1 && data[0]&0x0F == 8 && (int(data[0])<<8|int(data[1]))%31 == 0: // RFC 1950 §2.2
		f.Message, f.Got = "the message on the redirect has the frame of zlib around the compressed data",
			"zlib (RFC 1950)"
	case bytes.HasPrefix(data, []byte{0x1F, 0x8B}): // RFC 1952 §2.3.1
		f.Message, f.Got = "the message on the redirect has the frame of gzip around the compressed data",
			"gzip (RFC 1952)"
	default:
		f.Message = "the message on the redirect cannot be unpacked: it is not compressed in the right way, or was cut off"
	}
	return f
}
