// Asks a running `shortfall serve` through PostgreSQL's JDBC driver, and prints what it was answered: one `name=value` a line.
//
// java -cp postgresql.jar AskByJdbc.java jdbc:postgresql://127.0.0.1:5439/shortfall
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.TimeZone;

public class AskByJdbc {
    static void say(String name, Object value) {
        System.out.println(name + "=" + value);
    }

    /** Values of some columns, a row joined by `|`, rows joined by `;`. */
    static String rows(ResultSet result, String... columns) throws SQLException {
        List<String> rows = new ArrayList<>();
        while (result.next()) {
            List<String> row = new ArrayList<>();
            for (String column : columns) row.add(result.getString(column));
            rows.add(String.join("|", row));
        }
        return String.join(";", rows);
    }

    static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData about = connection.getMetaData();
        say("product", about.getDatabaseProductName() + " " + about.getDatabaseMajorVersion());
        say("catalog", connection.getCatalog());
        say("schema", connection.getSchema());
        say("catalogs", rows(about.getCatalogs(), "TABLE_CAT"));
        say("schemas", rows(about.getSchemas(), "TABLE_SCHEM"));
        say("table_types", rows(about.getTableTypes(), "TABLE_TYPE"));
        say("tables", rows(about.getTables(null, "bi", "fact_f%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME", "TABLE_TYPE"));
        say("remarks", rows(about.getTables(null, "bi", "dim_customer", null), "REMARKS"));
        say("columns", rows(about.getColumns(null, "bi", "fact_finding", "%"), "COLUMN_NAME", "TYPE_NAME", "DATA_TYPE", "IS_NULLABLE"));
        say("column_remarks", rows(about.getColumns(null, "bi", "fact_finding", "leakage"), "REMARKS"));
        say("primary_keys", rows(about.getPrimaryKeys(null, "bi", "dim_customer"), "COLUMN_NAME", "KEY_SEQ"));
        say("imported_keys", rows(about.getImportedKeys(null, "bi", "fact_finding"), "FKCOLUMN_NAME", "PKTABLE_NAME", "PKCOLUMN_NAME"));
        say("exported_keys", rows(about.getExportedKeys(null, "bi", "dim_customer"), "FKTABLE_NAME", "FKCOLUMN_NAME"));
        say("indexes", rows(about.getIndexInfo(null, "bi", "fact_finding", false, true), "INDEX_NAME"));
        say("best_row", rows(about.getBestRowIdentifier(null, "bi", "dim_customer", DatabaseMetaData.bestRowSession, true), "COLUMN_NAME"));
        say("types_known", rows(about.getTypeInfo(), "TYPE_NAME").contains("numeric"));
        say("functions", about.getFunctions(null, "pg_catalog", "abs").next());
        say("procedures", rows(about.getProcedures(null, "bi", "%"), "PROCEDURE_NAME"));
        say("privileges", about.getTablePrivileges(null, "bi", "fact_finding").next());
        say("client_info", about.getClientInfoProperties().next());
    }

    static void values(Connection connection) throws SQLException {
        String query = "SELECT CAST(? AS numeric(38,18)) AS money, CAST(? AS date) AS day, CAST(? AS timestamp) AS instant, CAST(? AS boolean) AS flag, "
            + "CAST(? AS text) AS word, CAST(? AS bigint) AS big, CAST(? AS integer) AS small, CAST(? AS double precision) AS real, CAST(? AS text) AS nothing";
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            // The driver changes to binary transfer with the fifth execution.
            for (int turn = 1; turn <= 8; turn++) {
                statement.setBigDecimal(1, new BigDecimal("-79228162514.264337593543950335"));
                statement.setDate(2, Date.valueOf("2024-02-29"));
                statement.setTimestamp(3, Timestamp.valueOf("2026-03-01 12:34:56.789012"));
                statement.setBoolean(4, true);
                statement.setString(5, "O'Brien ☃");
                statement.setLong(6, Long.MIN_VALUE);
                statement.setInt(7, -7);
                statement.setDouble(8, 0.1);
                statement.setNull(9, Types.VARCHAR);
                ResultSet row = statement.executeQuery();
                row.next();
                String seen = row.getBigDecimal("money") + "|" + row.getDate("day") + "|" + row.getTimestamp("instant") + "|" + row.getBoolean("flag") + "|"
                    + row.getString("word") + "|" + row.getLong("big") + "|" + row.getInt("small") + "|" + row.getDouble("real") + "|" + row.getString("nothing")
                    + "|" + row.wasNull();
                say("values_" + turn, seen);
            }
        }
        try (PreparedStatement statement = connection.prepareStatement(
            "SELECT signal, quarter_start, leakage FROM bi.fact_finding WHERE leakage > ? AND quarter_start >= ? AND currency = ? ORDER BY quarter_start")) {
            for (int turn = 1; turn <= 7; turn++) {
                statement.setBigDecimal(1, new BigDecimal("10.50"));
                statement.setDate(2, Date.valueOf("2026-01-01"));
                statement.setString(3, "USD");
                say("findings_" + turn, rows(statement.executeQuery(), "quarter_start", "leakage"));
            }
            ResultSetMetaData columns = statement.getMetaData();
            List<String> types = new ArrayList<>();
            for (int i = 1; i <= columns.getColumnCount(); i++) types.add(columns.getColumnLabel(i) + " " + columns.getColumnTypeName(i));
            say("described", String.join(";", types));
            say("parameters", statement.getParameterMetaData().getParameterCount());
        }
    }

    static void cursors(Connection connection) throws SQLException {
        connection.setReadOnly(true);
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(5);
            ResultSet result = statement.executeQuery("SELECT month FROM bi.fact_monthly");
            int walked = 0;
            while (result.next()) walked++;
            say("walked", walked);
        }
        java.sql.Savepoint place = connection.setSavepoint("here");
        try (Statement statement = connection.createStatement()) {
            statement.executeQuery("SELECT no_such_column FROM bi.fact_monthly");
        } catch (SQLException error) {
            say("unknown_column", error.getSQLState());
        }
        connection.rollback(place);
        connection.commit();
        connection.setAutoCommit(true);
        connection.setReadOnly(false);
        say("valid", connection.isValid(5));
    }

    static String state(Connection connection, String query) {
        try (Statement statement = connection.createStatement()) {
            statement.execute(query);
            return "accepted";
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }

    static void errors(Connection connection) throws SQLException {
        say("unknown_table", state(connection, "SELECT * FROM bi.no_such_table"));
        say("syntax", state(connection, "SELEC 1"));
        say("division", state(connection, "SELECT 1 / 0"));
        say("written", state(connection, "DELETE FROM bi.fact_finding"));
        say("temporary", state(connection, "CREATE TEMPORARY TABLE t AS SELECT 1"));
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            statement.executeQuery("SELECT count(*) FROM bi.dim_date a, bi.dim_date b, bi.dim_date c, bi.dim_date d");
            say("cancelled", "answered");
        } catch (SQLException error) {
            say("cancelled", error.getSQLState());
        }
        try (Statement statement = connection.createStatement()) {
            ResultSet row = statement.executeQuery("SELECT 40 + 2");
            row.next();
            say("afterwards", row.getInt(1));
        }
    }

    public static void main(String[] arguments) throws SQLException {
        TimeZone.setDefault(TimeZone.getTimeZone("America/New_York"));
        Properties properties = new Properties();
        properties.setProperty("user", "analyst");
        try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
            for (String part : new String[] {"metadata", "values", "cursors", "errors"}) {
                if (arguments.length > 1 && !arguments[1].equals(part)) continue;
                switch (part) {
                    case "metadata" -> metadata(connection);
                    case "values" -> values(connection);
                    case "cursors" -> cursors(connection);
                    default -> errors(connection);
                }
            }
        }
    }
}
