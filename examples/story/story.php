<?php

// The story in PHP, with PDO: php story.php

declare(strict_types=1);

/** One owner's threads: each call is one statement, which is one transaction. */
final class Threads
{
    public function __construct(private PDO $db, private string $owner)
    {
    }

    public function append(?string $key, array $messages, ?int $expectedCount = null): array
    {
        return $this->query(<<<'SQL'
            select a.state_key, a.message_count, a.appended
            from pgthreads.set_tenant(?) as t(owner),
              lateral pgthreads.append_thread(t.owner, ?, ?, ?) as a
            SQL, $key, json_encode($messages, JSON_THROW_ON_ERROR), $expectedCount)[0];
    }

    public function load(string $key): array
    {
        $row = $this->query(<<<'SQL'
            select l.messages
            from pgthreads.set_tenant(?) as t(owner),
              lateral pgthreads.load_thread(t.owner, ?) as l(messages)
            SQL, $key)[0];
        return json_decode($row['messages'], associative: true, flags: JSON_THROW_ON_ERROR);
    }

    public function list(): array
    {
        return $this->query(<<<'SQL'
            select s.title, s.message_count
            from pgthreads.set_tenant(?) as t(owner), lateral pgthreads.list_threads(t.owner) as s
            SQL);
    }

    public function delete(string $key): bool
    {
        return $this->query(<<<'SQL'
            select d.deleted
            from pgthreads.set_tenant(?) as t(owner),
              lateral pgthreads.soft_delete_thread(t.owner, ?) as d(deleted)
            SQL, $key)[0]['deleted'];
    }

    private function query(string $sql, mixed ...$arguments): array
    {
        $statement = $this->db->prepare($sql);
        $statement->execute([$this->owner, ...$arguments]);
        return $statement->fetchAll();
    }
}

function text(string $id, string $role, string $words): array
{
    return ['id' => $id, 'role' => $role, 'parts' => [['type' => 'text', 'text' => $words]]];
}

$db = new PDO('pgsql:', options: [
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
]);
$threads = new Threads($db, 'ada');

$created = $threads->append(null, [text('q1', 'user', 'Which mountain is the highest?')]);
$key = $created['state_key'];
printf("created: key of %d characters, count %d\n", strlen($key), $created['message_count']);

$answer = text('a1', 'assistant', 'Mount Everest, with 8,849 m.');
foreach (['answered', 'repeated'] as $step) {
    $done = $threads->append($key, [$answer], 1);
    echo "$step: appended {$done['appended']}, count {$done['message_count']}\n";
}

$question = text('q2', 'user', 'And the second highest?');
try {
    $threads->append($key, [$question], 1);
} catch (PDOException $error) {
    if ($error->getCode() !== 'THCNT') {
        throw $error;
    }
    echo "conflict: {$error->getCode()}, loaded again\n";
    $done = $threads->append($key, [$question], count($threads->load($key)));
    echo "resolved: appended {$done['appended']}, count {$done['message_count']}\n";
}

foreach ($threads->load($key) as $message) {
    echo "  {$message['role']}: {$message['parts'][0]['text']}\n";
}
foreach ($threads->list() as $thread) {
    echo "listed: {$thread['title']} ({$thread['message_count']})\n";
}
echo 'deleted: ', json_encode($threads->delete($key)), "\n";

try {
    $threads->append($key, [$question]);
} catch (PDOException $error) {
    if ($error->getCode() !== 'THDEL') {
        throw $error;
    }
    echo "refused: {$error->getCode()}, nothing appended\n";
}
printf("left: %d messages, %d threads\n", count($threads->load($key)), count($threads->list()));
