package console

import "time"

// LargeForms says how many large forms are being read.
func LargeForms(c *Console) int { return len(c.large) }

// SetAnswerTime is for answers that would take too long for a test.
func SetAnswerTime(c *Console, d time.Duration) { c.answerTime = d }
