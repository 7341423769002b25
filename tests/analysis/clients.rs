//! The server as real clients meet it: psql, JDBC, ODBC, SQLAlchemy. What each asks the catalogue is kept in `transcripts/` and asked again without
//! the client; the clients themselves are run where they can be installed.

use super::duckdb::oracle_command;
use super::serve::{OPEN, ask, conninfo};
use super::support::repository;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

/// What a program says, or how it is installed.
fn output(command: &mut Command, install: &str) -> String {
    let shown = format!("{command:?}");
    let output = command.output().unwrap_or_else(|e| panic!("{shown}: {e}; this test needs {install}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown} (it needs {install}):\n{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn transcript(client: &str) -> Vec<Value> {
    let path = repository(&format!("tests/analysis/transcripts/{client}.sql"));
    let mut command = oracle_command("ask_server.py");
    command.args(["transcript", &conninfo(OPEN.1, "")]).arg(path);
    let answers: Vec<Value> = serde_json::from_str(&output(&mut command, "Python")).expect("JSON");
    for answer in &answers {
        assert!(answer.get("error").is_none(), "{client}: {answer:#}");
    }
    answers
}

/// How many answers under a heading have rows.
fn answered(answers: &[Value], heading: &str) -> usize {
    let of = answers.iter().filter(|answer| answer["heading"] == heading);
    of.filter(|answer| answer["rows"].as_array().is_some_and(|rows| !rows.is_empty())).count()
}

#[test]
fn what_psql_asks_the_catalogue_is_answered() {
    let answers = transcript("psql");
    for heading in ["\\dn", "\\l", "\\dv", "\\d", "\\dt *.*", "\\dv bi.*", "\\di", "\\db", "\\dx"] {
        assert!(answered(&answers, heading) > 0, "{heading}");
    }
    // The table, its flags, its columns, its key and its references.
    assert!(answered(&answers, "\\d bi.fact_finding") >= 5);
}

#[test]
fn what_jdbc_and_odbc_ask_the_catalogue_is_answered() {
    assert!(answered(&transcript("jdbc"), "metadata") >= 13);
    assert!(answered(&transcript("odbc"), "catalogue functions") >= 8);
}

#[test]
fn what_sqlalchemy_and_superset_ask_the_catalogue_is_answered() {
    assert!(answered(&transcript("sqlalchemy"), "inspector") >= 18);
}

#[test]
fn what_power_bi_metabase_and_tableau_ask_is_answered() {
    let answers = transcript("power_bi");
    let rows = |heading: &str| answers.iter().find(|answer| answer["heading"] == heading).map(|answer| answer["rows"].clone());
    assert!(answered(&answers, "types") == 1 && answered(&answers, "navigator: columns") == 1);
    assert_eq!(
        rows("navigator: relations").and_then(|rows| rows.get(0).cloned()),
        Some(json!(["customer_key", "bi", "fact_finding", "customer_key", "1", "fact_finding_customer_key_fkey"]))
    );
    assert_eq!(rows("navigator: keys"), Some(json!([["bi_fact_finding_pkey", "finding_key", "1", "Y"]])));
    let answers = transcript("metabase");
    for heading in ["sync: tables", "sync: fields", "sync: foreign keys", "fingerprints", "a question: money by month"] {
        assert_eq!(answered(&answers, heading), 1, "{heading}");
    }
    let answers = transcript("tableau");
    for heading in ["connect: no rows", "a sheet", "a quick filter", "a relation"] {
        assert_eq!(answered(&answers, heading), 1, "{heading}");
    }
}

#[test]
fn errors_have_the_codes_that_drivers_know() {
    let said = ask("states", &conninfo(OPEN.1, ""), None);
    for (name, state) in [
        ("column", "42703"),
        ("table", "42P01"),
        ("function", "42883"),
        ("syntax", "42601"),
        ("division", "22012"),
        ("cast", "22P02"),
        ("setting", "42704"),
        ("write", "25006"),
    ] {
        for protocol in ["simple", "extended"] {
            assert_eq!(said[format!("{name}_{protocol}")], state, "{said:#}");
        }
    }
    assert_eq!([&said["nested"], &said["after_savepoint"], &said["in_failed"]], [&json!("42703"), &json!(42), &json!("25P02")]);
    // Rather refused than another amount.
    assert_eq!(said["wide"], "22P02");
    assert_eq!(said["shown"], json!(["16.6", "bi", "read committed", "UTC"]));
    assert_eq!([&said["unqualified"], &said["named"]], [&json!(2), &json!(["shortfall", "bi", "PostgreSQL"])]);
}

#[test]
fn a_cancelled_statement_ends_and_its_connection_goes_on() {
    assert_eq!(ask("cancel", &conninfo(OPEN.1, ""), None), json!({ "state": "57014", "afterwards": 42 }));
}

#[test]
fn psql_lists_describes_and_reads_in_pieces() {
    let commands =
        ["\\dn", "\\l", "\\dv", "\\d bi.fact_finding", "\\d+ bi.fact_finding", "\\df bi.*", "\\dt core.*", "\\conninfo"];
    let mut psql = Command::new("psql");
    psql.args(["-X", "-P", "pager=off", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "analyst", "-d", "shortfall"]);
    psql.args(["-p", &OPEN.1.port().to_string()]);
    for command in commands {
        psql.args(["-c", command]);
    }
    let said = output(&mut psql, "psql: apt-get install postgresql-client");
    for text in ["View \"bi.fact_finding\"", "numeric(38,18)", "of dim_finding", "shortfall"] {
        assert!(said.contains(text), "{text}: {said}");
    }
    let mut psql = Command::new("psql");
    psql.args(["-X", "-A", "-t", "-h", "127.0.0.1", "-U", "analyst", "-d", "shortfall", "-p", &OPEN.1.port().to_string()]);
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("script.sql");
    let lines = "\\set FETCH_COUNT 5\nSELECT month FROM bi.fact_monthly;\nSELECT leakage, month_name FROM fact_finding, dim_date \\gdesc\n";
    std::fs::write(&script, lines).expect("a script");
    psql.arg("-f").arg(&script);
    let said = output(&mut psql, "psql: apt-get install postgresql-client");
    assert!(said.contains("leakage|numeric") && said.contains("month_name|text"), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("2026-")).count(), 12, "{said}");
}

#[test]
fn jdbc_reads_metadata_values_and_cursors() {
    let jar = ["/usr/share/java/postgresql.jar"].into_iter().find(|path| std::path::Path::new(path).exists());
    let jar = jar.expect("PostgreSQL's JDBC driver: apt-get install default-jdk-headless libpostgresql-jdbc-java");
    let mut java = Command::new("java");
    java.args(["-cp", jar]).arg(repository("tests/oracle/AskByJdbc.java"));
    java.arg(format!("jdbc:postgresql://{}/shortfall", OPEN.1));
    let said = output(&mut java, "a JDK: apt-get install default-jdk-headless libpostgresql-jdbc-java");
    let said: BTreeMap<&str, &str> = said.lines().filter_map(|line| line.split_once('=')).collect();
    for (name, expected) in [
        ("product", "PostgreSQL 16"),
        ("catalog", "shortfall"),
        ("schema", "bi"),
        ("tables", "fact_finding|VIEW;fact_finding_month|VIEW"),
        ("primary_keys", "customer_key|1"),
        ("indexes", "fact_finding_pkey"),
        ("best_row", "customer_key"),
        ("types_known", "true"),
        ("walked", "12"),
        ("findings_7", "2026-01-01|396.000000000000000000;2026-04-01|396.000000000000000000"),
        ("described", "signal text;quarter_start date;leakage numeric"),
        ("unknown_column", "42703"),
        ("unknown_table", "42P01"),
        ("syntax", "42601"),
        ("written", "25006"),
        ("temporary", "25006"),
        ("cancelled", "57014"),
        ("afterwards", "42"),
        ("valid", "true"),
    ] {
        assert_eq!(said.get(name), Some(&expected), "{name}: {said:#?}");
    }
    let values = "-79228162514.264337593543950335|2024-02-29|2026-03-01 12:34:56.789012|true|O'Brien ☃|-9223372036854775808|-7|0.1|null|true";
    for turn in 1..=8 {
        assert_eq!(said[format!("values_{turn}").as_str()], values, "{said:#?}");
    }
    assert!(said["columns"].contains("leakage|numeric|2") && said["column_remarks"].contains("MSP"), "{said:#?}");
    assert!(said["imported_keys"].contains("customer_key|dim_customer|customer_key"), "{said:#?}");
}

#[test]
fn odbc_reads_catalogue_values_and_cursors() {
    let mut python = oracle_command("ask_by_client.py");
    python.args(["odbc", &OPEN.1.port().to_string()]);
    let said: Value = serde_json::from_str(&output(&mut python, "apt-get install odbc-postgresql unixodbc")).expect("JSON");
    for declare in ["declare_0", "declare_1"] {
        let of = &said[declare];
        assert_eq!(of["tables"], json!([["bi", "fact_finding", "VIEW"], ["bi", "fact_finding_month", "VIEW"]]), "{said:#}");
        assert_eq!(
            [&of["primary_keys"], &of["walked"], &of["written"]],
            [&json!(["customer_key"]), &json!(12), &json!("25006")],
            "{said:#}"
        );
        assert_eq!(of["values"][0], "Decimal -79228162514.264337593543950335", "{said:#}");
        assert_eq!(of["values"][2], "datetime 2026-03-01 12:34:56.789012", "{said:#}");
        assert_eq!(of["statistics"], json!(["fact_finding_pkey"]), "{said:#}");
        assert_eq!(of["bound"].as_array().map(Vec::len), Some(2), "{said:#}");
    }
}

#[test]
fn sqlalchemy_reflects_the_star_by_both_drivers() {
    for driver in ["psycopg2", "psycopg"] {
        let mut python = oracle_command("ask_by_client.py");
        python.args([driver, &OPEN.1.port().to_string()]);
        let said: Value = serde_json::from_str(&output(&mut python, "Python")).expect("JSON");
        assert_eq!([&said["primary_key"], &said["default_schema"]], [&json!(["customer_key"]), &json!("bi")], "{said:#}");
        assert!(said["views"].as_array().is_some_and(|views| views.len() == 14), "{said:#}");
        assert!(said["columns"].as_array().is_some_and(|all| all.contains(&json!(["leakage", "NUMERIC(38, 18)"]))), "{said:#}");
        assert!(
            said["foreign_keys"].as_array().is_some_and(|all| all.contains(&json!(["customer_key", "dim_customer"]))),
            "{said:#}"
        );
        assert_eq!(
            [&said["walked"], &said["nested"], &said["column_comments"]],
            [&json!(12), &json!(42), &json!(17)],
            "{said:#}"
        );
    }
}
