package console

// LargeForms says how many large forms are being read.
func LargeForms(c *Console) int { return len(c.large) }
