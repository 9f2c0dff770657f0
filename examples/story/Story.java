// The story in Java, with JDBC: java -cp /usr/share/java/postgresql.jar Story.java

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

public class Story {
    record Appended(String key, int count, int appended) {}

    record Message(String role, String text) {}

    record Listed(String title, int count) {}

    /** One owner's threads: each call is one statement, which is one transaction. */
    record Threads(Connection connection, String owner) {
        interface Row<T> {
            T read(ResultSet row) throws SQLException;
        }

        Appended append(String key, Integer expectedCount, String messages) throws SQLException {
            return query("""
                select a.state_key, a.message_count, a.appended
                from pgthreads.set_tenant(?) as t(owner),
                  lateral pgthreads.append_thread(t.owner, ?, ?::jsonb, ?) as a
                """,
                row -> new Appended(
                    row.getString("state_key"),
                    row.getInt("message_count"),
                    row.getInt("appended")),
                key, messages, expectedCount).get(0);
        }

        /** The JDK has no JSON, so the database takes the messages apart. */
        List<Message> load(String key) throws SQLException {
            return query("""
                select m.message ->> 'role' as role, m.message #>> '{parts,0,text}' as text
                from pgthreads.set_tenant(?) as t(owner),
                  lateral pgthreads.read_messages(t.owner, ?) as m
                order by m.seq
                """,
                row -> new Message(row.getString("role"), row.getString("text")), key);
        }

        List<Listed> list() throws SQLException {
            return query("""
                select s.title, s.message_count
                from pgthreads.set_tenant(?) as t(owner),
                  lateral pgthreads.list_threads(t.owner) as s
                """,
                row -> new Listed(row.getString("title"), row.getInt("message_count")));
        }

        boolean delete(String key) throws SQLException {
            return query("""
                select d.deleted
                from pgthreads.set_tenant(?) as t(owner),
                  lateral pgthreads.soft_delete_thread(t.owner, ?) as d(deleted)
                """,
                row -> row.getBoolean("deleted"), key).get(0);
        }

        private <T> List<T> query(String sql, Row<T> row, Object... arguments) throws SQLException {
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                statement.setString(1, owner);
                for (int i = 0; i < arguments.length; i++) {
                    statement.setObject(i + 2, arguments[i]);
                }
                List<T> rows = new ArrayList<>();
                try (ResultSet results = statement.executeQuery()) {
                    while (results.next()) {
                        rows.add(row.read(results));
                    }
                }
                return rows;
            }
        }
    }

    static final String QUESTION = """
        [{"id": "q1", "role": "user",
          "parts": [{"type": "text", "text": "Which mountain is the highest?"}]}]""";
    static final String ANSWER = """
        [{"id": "a1", "role": "assistant",
          "parts": [{"type": "text", "text": "Mount Everest, with 8,849 m."}]}]""";
    static final String NEXT_QUESTION = """
        [{"id": "q2", "role": "user",
          "parts": [{"type": "text", "text": "And the second highest?"}]}]""";

    static void tell(Threads threads) throws SQLException {
        Appended created = threads.append(null, null, QUESTION);
        String key = created.key();
        System.out.printf(
            "created: key of %d characters, count %d%n", key.length(), created.count());

        for (String step : List.of("answered", "repeated")) {
            Appended done = threads.append(key, 1, ANSWER);
            System.out.printf("%s: appended %d, count %d%n", step, done.appended(), done.count());
        }

        try {
            threads.append(key, 1, NEXT_QUESTION);
        } catch (SQLException error) {
            if (!error.getSQLState().equals("THCNT")) {
                throw error;
            }
            System.out.printf("conflict: %s, loaded again%n", error.getSQLState());
            Appended done = threads.append(key, threads.load(key).size(), NEXT_QUESTION);
            System.out.printf("resolved: appended %d, count %d%n", done.appended(), done.count());
        }

        for (Message message : threads.load(key)) {
            System.out.printf("  %s: %s%n", message.role(), message.text());
        }
        for (Listed thread : threads.list()) {
            System.out.printf("listed: %s (%d)%n", thread.title(), thread.count());
        }
        System.out.printf("deleted: %b%n", threads.delete(key));

        try {
            threads.append(key, null, NEXT_QUESTION);
        } catch (SQLException error) {
            if (!error.getSQLState().equals("THDEL")) {
                throw error;
            }
            System.out.printf("refused: %s, nothing appended%n", error.getSQLState());
        }
        System.out.printf(
            "left: %d messages, %d threads%n", threads.load(key).size(), threads.list().size());
    }

    public static void main(String[] arguments) throws SQLException {
        Map<String, String> env = System.getenv();
        String url = "jdbc:postgresql://%s:%s/%s".formatted(
            env.getOrDefault("PGHOST", "localhost"), env.getOrDefault("PGPORT", "5432"),
            env.getOrDefault("PGDATABASE", env.get("PGUSER")));
        try (Connection connection =
                DriverManager.getConnection(url, env.get("PGUSER"), env.get("PGPASSWORD"))) {
            tell(new Threads(connection, "ada"));
        }
    }
}
