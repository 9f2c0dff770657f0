// The story in Go, with database/sql and lib/pq: go run story.go
package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/lib/pq"
)

const owner = "ada"

type part struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type message struct {
	ID    string `json:"id"`
	Role  string `json:"role"`
	Parts []part `json:"parts"`
}

type appended struct {
	key             string
	count, appended int
}

type thread struct {
	title string
	count int
}

// threads has one owner's threads; each call is one statement, which is one transaction.
type threads struct {
	db    *sql.DB
	owner string
}

// append appends messages to a thread, or to a new one if key is nil. The database refuses this if
// expectedCount is not nil and the thread has another number of messages.
func (t threads) append(key *string, expectedCount *int, messages ...message) (appended, error) {
	var result appended
	body, err := json.Marshal(messages)
	if err != nil {
		return result, err
	}
	err = t.db.QueryRow(`
		select a.state_key, a.message_count, a.appended
		from pgthreads.set_tenant($1) as t(owner),
		  lateral pgthreads.append_thread(t.owner, $2, $3, $4) as a`,
		t.owner, key, string(body), expectedCount,
	).Scan(&result.key, &result.count, &result.appended)
	return result, err
}

func (t threads) load(key string) ([]message, error) {
	var body []byte
	err := t.db.QueryRow(`
		select l.messages
		from pgthreads.set_tenant($1) as t(owner),
		  lateral pgthreads.load_thread(t.owner, $2) as l(messages)`,
		t.owner, key,
	).Scan(&body)
	if err != nil {
		return nil, err
	}
	var messages []message
	return messages, json.Unmarshal(body, &messages)
}

func (t threads) list() ([]thread, error) {
	rows, err := t.db.Query(`
		select s.title, s.message_count
		from pgthreads.set_tenant($1) as t(owner), lateral pgthreads.list_threads(t.owner) as s`,
		t.owner,
	)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []thread
	for rows.Next() {
		var next thread
		if err := rows.Scan(&next.title, &next.count); err != nil {
			return nil, err
		}
		list = append(list, next)
	}
	return list, rows.Err()
}

func (t threads) delete(key string) (deleted bool, err error) {
	err = t.db.QueryRow(`
		select d.deleted
		from pgthreads.set_tenant($1) as t(owner),
		  lateral pgthreads.soft_delete_thread(t.owner, $2) as d(deleted)`,
		t.owner, key,
	).Scan(&deleted)
	return deleted, err
}

// refused tells whether the database refused a call with this SQLSTATE.
func refused(err error, sqlstate pq.ErrorCode) bool {
	var refusal *pq.Error
	return errors.As(err, &refusal) && refusal.Code == sqlstate
}

func text(id, role, words string) message {
	return message{id, role, []part{{"text", words}}}
}

func tell(t threads) error {
	created, err := t.append(nil, nil, text("q1", "user", "Which mountain is the highest?"))
	if err != nil {
		return err
	}
	key := created.key
	fmt.Printf("created: key of %d characters, count %d\n", len(key), created.count)

	count := created.count
	answer := text("a1", "assistant", "Mount Everest, with 8,849 m.")
	for _, step := range []string{"answered", "repeated"} {
		done, err := t.append(&key, &count, answer)
		if err != nil {
			return err
		}
		fmt.Printf("%s: appended %d, count %d\n", step, done.appended, done.count)
	}

	question := text("q2", "user", "And the second highest?")
	_, err = t.append(&key, &count, question)
	if refused(err, "THCNT") {
		fmt.Println("conflict: THCNT, loaded again")
		messages, err := t.load(key)
		if err != nil {
			return err
		}
		count = len(messages)
		done, err := t.append(&key, &count, question)
		if err != nil {
			return err
		}
		fmt.Printf("resolved: appended %d, count %d\n", done.appended, done.count)
	} else if err != nil {
		return err
	}

	messages, err := t.load(key)
	if err != nil {
		return err
	}
	for _, m := range messages {
		fmt.Printf("  %s: %s\n", m.Role, m.Parts[0].Text)
	}
	list, err := t.list()
	if err != nil {
		return err
	}
	for _, thread := range list {
		fmt.Printf("listed: %s (%d)\n", thread.title, thread.count)
	}
	deleted, err := t.delete(key)
	if err != nil {
		return err
	}
	fmt.Printf("deleted: %t\n", deleted)

	_, err = t.append(&key, nil, question)
	if !refused(err, "THDEL") {
		return fmt.Errorf("the deleted thread took a message: %w", err)
	}
	fmt.Println("refused: THDEL, nothing appended")
	if messages, err = t.load(key); err != nil {
		return err
	}
	if list, err = t.list(); err != nil {
		return err
	}
	fmt.Printf("left: %d messages, %d threads\n", len(messages), len(list))
	return nil
}

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := tell(threads{db, owner}); err != nil {
		log.Fatal(err)
	}
}
