package console

import (
	"context"
	"time"
)

// LargeForms says how many large forms are being read.
func LargeForms(c *Console) int { return len(c.large) }

// SetAnswerTime is for answers that would take too long for a test.
func SetAnswerTime(c *Console, d time.Duration) { c.answerTime = d }

// AddSigning makes a signing key unless there is one.
func AddSigning(ctx context.Context, c *Console) (sealed string, err error) { return c.addSigning(ctx) }
