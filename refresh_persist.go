package saml

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/iomete/saml/internal/fetch"
	"github.com/iomete/saml/internal/refresh"
)

// A MetadataCache keeps what a MetadataSource read last, for the next process. Replicas may share
// one: the last write wins.
type MetadataCache interface {
	// Load returns what Save kept last under key, or nil and no error if there is nothing. key is
	// 64 lower-case hex digits.
	Load(ctx context.Context, key string) ([]byte, error)
	// Save keeps data, at most 5 MiB, in place of what there was under key. It must be atomic: Load
	// returns all of the old or all of the new data, also after a crash.
	Save(ctx context.Context, key string, data []byte) error
}

// A MetadataDir is a MetadataCache of files in a directory, which is made if it is missing. It must
// belong to the service alone: who can write to it can set back the metadata, and without
// MetadataSourceConfig.SignedBy can replace the keys that are trusted.
//
// A file is written under a unique name, flushed to the disk and renamed; its mode is 0600. No
// symbolic link is followed in its place.
type MetadataDir string

// Load implements MetadataCache.
func (d MetadataDir) Load(_ context.Context, key string) ([]byte, error) {
	data, err := refresh.ReadFile(string(d), cacheFile(key), maxPiece)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Save implements MetadataCache.
func (d MetadataDir) Save(_ context.Context, key string, data []byte) error {
	return refresh.WriteFile(string(d), cacheFile(key), data)
}

// cacheFile is a name without a separator, whatever the key is.
func cacheFile(key string) string { return hex.EncodeToString([]byte(key)) + ".metadata" }

const (
	maxPiece     = maxFile + 64<<10
	cacheTimeout = 5 * time.Second
	// rewriteAfter is how often the time of the last good look alone is written.
	rewriteAfter = 24 * time.Hour
	pieceVersion = 1
)

// A pieceHeader is the line before the document in what is persisted: all of it counts, or nothing.
type pieceHeader struct {
	Version      int       `json:"version"`
	Tenant       string    `json:"tenant"`
	Address      string    `json:"address"`
	EntityID     string    `json:"entity_id"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	ReadAt       time.Time `json:"read_at"`
	WholeAt      time.Time `json:"whole_at,omitzero"`
	Since        time.Time `json:"since"`
	Created      time.Time `json:"created,omitzero"`
	SHA256       string    `json:"sha256"` // of the document

	Missing []missingKey `json:"missing,omitempty"`
}

func documentHash(document []byte) string {
	sum := sha256.Sum256(document)
	return hex.EncodeToString(sum[:])
}

// cacheKey is the same for all replicas and for each process with these settings.
func (s *MetadataSource) cacheKey() string {
	return documentHash([]byte(s.config.Tenant + "\x00" + s.address + "\x00" + s.config.EntityID))
}

// piece returns what is persisted of k.
func (s *MetadataSource) piece(k *keptMetadata) ([]byte, error) {
	header, err := json.Marshal(pieceHeader{Version: pieceVersion, Tenant: s.config.Tenant, Address: s.address,
		EntityID: k.idp.entityID, ETag: k.conditions.ETag, LastModified: k.conditions.LastModified,
		ReadAt: k.readAt.UTC(), WholeAt: k.wholeAt.UTC(), Since: k.since.UTC(), Created: k.created, SHA256: documentHash(k.document),
		Missing: k.missing})
	if err != nil {
		return nil, err
	}
	return slices.Concat(header, []byte("\n"), k.document), nil
}

// load returns what an earlier process persisted, after the checks of today, or nil and why it does
// not count. none says that Initial may count: there is nothing newer than it. What cannot be read, or
// has run out, may be newer, and Initial may have keys that it no longer has.
func (s *MetadataSource) load(now time.Time) (k *keptMetadata, none bool, _ []Event) {
	if s.config.Persist == nil {
		return nil, true, nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, cacheTimeout)
	defer cancel()
	data, err := s.config.Persist.Load(ctx, s.cacheKey())
	if !isNil(err) {
		return nil, false, []Event{s.notPersisted("what was persisted cannot be read", err)}
	}
	if data == nil {
		return nil, true, nil
	}
	k, err = s.parsePiece(data, now)
	if !isNil(err) {
		return nil, !errors.Is(err, errRanOut), []Event{s.notPersisted("what was persisted does not count", err)}
	}
	s.saved = k.withoutDocument()
	return k, false, nil
}

// errRanOut is in the error about a document that has nothing wrong but its validUntil.
var errRanOut = errors.New("it has run out")

func (s *MetadataSource) parsePiece(data []byte, now time.Time) (*keptMetadata, error) {
	line, document, ok := bytes.Cut(data, []byte("\n"))
	var h pieceHeader
	if !ok || json.Unmarshal(line, &h) != nil || h.Version != pieceVersion || h.SHA256 != documentHash(document) {
		return nil, errors.New("it is not whole, or of another version")
	}
	if h.Tenant != s.config.Tenant || h.Address != s.address {
		return nil, errors.New("it is of another tenant or address")
	}
	if want := s.config.EntityID; want != "" && h.EntityID != want {
		return nil, errors.New("it is of another identity provider: " + quote(h.EntityID))
	}
	idp, refusal := s.read(document)
	if refusal == nil && idp.entityID != h.EntityID {
		return nil, errors.New("its parts do not belong together")
	}
	if h.ReadAt.After(now) { // the clock was wrong then, or is now
		h.ReadAt = now
	}
	if refusal == nil {
		refusal = s.checkKept(idp, h.ReadAt, now)
	}
	if refusal != nil {
		return nil, refusal
	}
	if refusal = idp.ranOut(now); refusal != nil {
		return nil, fmt.Errorf("%w: %w", errRanOut, refusal)
	}
	return &keptMetadata{idp: idp, document: document, created: earlier(h.Created, now), readAt: h.ReadAt,
		wholeAt: earlier(h.WholeAt, now), since: h.Since, origin: MetadataPersisted, conditions: fetch.Conditions{ETag: h.ETag, LastModified: h.LastModified},
		missing: h.Missing}, nil
}

// readInitial reads the document of the configuration, as far as that does not depend on the time.
func (s *MetadataSource) readInitial() (*keptMetadata, *Error) {
	if s.config.Initial == nil {
		return nil, nil
	}
	idp, err := s.read(s.config.Initial)
	if err != nil {
		return nil, err.inField("Initial")
	}
	s.config.Initial = nil // what was read of it is enough
	return &keptMetadata{idp: idp, created: idp.created, origin: MetadataInitial}, nil
}

// takeInitial takes the document of the configuration if its dates allow it.
func (s *MetadataSource) takeInitial(k *keptMetadata, now time.Time, events []Event) (*keptMetadata, []Event) {
	if err := s.checkKept(k.idp, now, now); err != nil {
		return nil, append(events, s.event(MetadataLookFailed, MetadataEvent{Err: err.completed(k.idp),
			Message: "MetadataSourceConfig.Initial does not count: " + err.Message}))
	}
	k.readAt, k.since = now, now
	return k, events
}

// save persists what is kept, if it says something else than what is persisted. A failure is an
// event and no more.
func (s *MetadataSource) save() {
	if s.config.Persist == nil {
		return
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	k := s.current.Load()
	if k == nil || k.origin != MetadataFetched || !k.needsSaving(s.saved) || s.ctx.Err() != nil {
		return
	}
	data, err := s.piece(k)
	if err == nil {
		ctx, cancel := context.WithTimeout(s.ctx, cacheTimeout)
		defer cancel()
		err = s.config.Persist.Save(ctx, s.cacheKey(), data)
	}
	if !isNil(err) {
		s.tell([]Event{s.notPersisted("the metadata cannot be persisted", err)})
		return
	}
	s.saved = k.withoutDocument()
}

// needsSaving reports whether what is persisted should be replaced: it says something else, or the
// time of the last good look is a day old.
func (k *keptMetadata) needsSaving(saved *keptMetadata) bool {
	return saved == nil || !k.idp.saysTheSame(saved.idp) || k.created.After(saved.created) ||
		!slices.Equal(k.missing, saved.missing) || k.readAt.Sub(saved.readAt) >= rewriteAfter
}

func (k *keptMetadata) withoutDocument() *keptMetadata {
	own := *k
	own.document = nil
	return &own
}

// notPersisted is the event for a cache that fails.
func (s *MetadataSource) notPersisted(message string, err error) Event {
	var refusal *Error
	if !errors.As(err, &refusal) || refusal == nil {
		refusal = refuse(CodeMetadataCache, message, "", "").withCause(err)
	}
	return s.event(MetadataPersistFailed, MetadataEvent{Message: message, Err: refusal.completed(nil)})
}
