package runs

// State is how far a run is.
type State string

// The states, in the order of a run's life.
const (
	// Created: the token is taken, nothing else has happened.
	Created State = "created"
	// Preparing: the environment is being prepared; nothing was submitted.
	Preparing State = "preparing"
	// Prepared: the request is stored.
	Prepared State = "prepared"
	// Submitting: from here on the backend may have a job.
	Submitting State = "submitting"
	// Submitted: the handle is stored.
	Submitted State = "submitted"
	// Unknown: whether the backend has a job cannot be told.
	Unknown State = "unknown"
	// Blocked: a person must give something (a secret) before it goes on.
	Blocked State = "blocked"
	// Ended: the verdict is stored. Logs and leftovers may still be there.
	Ended State = "verdict"
	// Drained: the log is complete, or given up with a mark.
	Drained State = "drained"
	// Cleaned: nothing is left at the backend but the evidence.
	Cleaned State = "cleaned"
	// Closed: nobody has anything to do any more.
	Closed State = "closed"
)

// mayFollow lists the legal arrows. Where an arrow leads back to preparing (or
// prepared) from a state in which the backend may have a job, rules.go asks for
// a new attempt besides.
func mayFollow(from, to State) bool {
	switch from {
	case Created:
		return to == Preparing || to == Blocked || to == Ended
	case Preparing:
		// Submitting: the request and "it is being sent" are one transaction.
		// Submitted, Unknown: a job of this token was found at the backend.
		return to == Prepared || to == Submitting || to == Submitted || to == Unknown || to == Blocked || to == Ended
	case Prepared:
		return to == Submitting || to == Preparing || to == Blocked || to == Ended
	case Submitting:
		return to == Submitted || to == Unknown || to == Blocked || to == Preparing || to == Ended
	case Submitted:
		return to == Preparing || to == Ended
	case Unknown:
		return to == Submitted || to == Submitting || to == Blocked || to == Preparing || to == Ended
	case Blocked:
		return to == Preparing || to == Prepared || to == Submitting || to == Submitted || to == Unknown || to == Ended
	case Ended:
		return to == Drained
	case Drained:
		return to == Cleaned
	case Cleaned:
		return to == Closed
	}
	return false // Closed: only Claim.Again leads out of it
}

// Over says that the state has a verdict.
func (s State) Over() bool {
	return s == Ended || s == Drained || s == Cleaned || s == Closed
}
