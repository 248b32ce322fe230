import java.net.URI;
import java.sql.*;
import java.util.*;

/** A list and its authors: one query for each row, or one for all of them. */
public class Jdbc {
    public static void main(String[] arguments) throws Exception {
        URI url = URI.create(System.getenv("DATABASE_URL"));
        Properties login = new Properties();
        String[] user = Objects.requireNonNullElse(url.getUserInfo(), System.getenv("PGUSER")).split(":", 2);
        login.setProperty("user", user[0]);
        if (user.length == 2) login.setProperty("password", user[1]);
        String address = "jdbc:postgresql://" + url.getHost() + ":" + url.getPort() + url.getPath();
        try (Connection db = DriverManager.getConnection(address, login)) {
            List<Long> authors = new ArrayList<>();
            try (PreparedStatement posts = db.prepareStatement("SELECT id, author_id FROM posts ORDER BY title, id LIMIT ?")) {
                posts.setInt(1, 15);
                ResultSet rows = posts.executeQuery();
                while (rows.next()) authors.add(rows.getLong(2));
            }
            if (arguments[0].equals("loop")) {
                try (PreparedStatement name = db.prepareStatement("SELECT name FROM authors WHERE id = ?")) {
                    for (long author : authors) {
                        name.setLong(1, author);
                        name.executeQuery().next();
                    }
                }
            } else {
                try (PreparedStatement names = db.prepareStatement("SELECT id, name FROM authors WHERE id = ANY (?)")) {
                    names.setArray(1, db.createArrayOf("bigint", authors.toArray()));
                    names.executeQuery().next();
                }
            }
        }
    }
}
