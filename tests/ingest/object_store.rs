//! Exports in an object store, read from a real S3 server in this process.

use super::containers::zipped;
use super::s3::{SECRET, Server};
use super::support::{Place, Ran, rows};
use shortfall::lake::Table;

const FX: &str = "date,from_currency,to_currency,rate,source\n";

impl Server {
    #[track_caller]
    fn ingest(&self, place: &Place, url: &str, secret: &str) -> Ran {
        self.run_as(secret, &["ingest", "--lake", &place.lake().display().to_string(), url])
    }
}

#[test]
fn a_prefix_is_ingested_and_ingested_again_changes_nothing() {
    let (server, place) = (Server::start(), Place::new());
    server.put("exports/2026-06-30/fx.csv", format!("{FX}2026-06-30,EUR,USD,1.1,ECB\n"));
    server.put("exports/all_2026-07-01.zip", zipped(&[("fx.csv", format!("{FX}2026-07-01,EUR,USD,1.2,ECB\n").as_bytes())]));
    server.put("exports/notes.txt", "nothing of interest");
    server.put("exports/.hidden", "x");
    server.put("elsewhere/fx.csv", format!("{FX}2026-07-02,EUR,USD,1.3,ECB\n"));
    server.ingest(&place, "s3://bucket/exports/", SECRET).says(1, &["s3://bucket/exports/notes.txt` is no export"]);
    let batches = rows(&place.lake(), Table::Batch);
    let mut files: Vec<(&str, &str)> = batches.iter().map(|row| (row["file"].as_str(), &row["recorded_at"][..10])).collect();
    files.sort_unstable();
    let expected = [
        ("s3://bucket/exports/2026-06-30/fx.csv", "2026-06-30"),
        ("s3://bucket/exports/all_2026-07-01.zip!fx.csv", "2026-07-01"),
    ];
    assert_eq!(files, expected);
    server.ingest(&place, "s3://bucket/exports/", SECRET).says(1, &["2 files were ingested before"]);
    assert_eq!(rows(&place.lake(), Table::Fx).len(), 2);
    // One object, and a pattern; a star stays within its folder.
    server.ingest(&place, "s3://bucket/elsewhere/fx.csv", SECRET).says(0, &["fx"]);
    server.ingest(&place, "s3://bucket/*/*.csv", SECRET).says(0, &["1 files were ingested before"]);
    server.ingest(&place, "s3://bucket/*/*/*.csv", SECRET).says(0, &["1 files were ingested before"]);
    assert_eq!(rows(&place.lake(), Table::Fx).len(), 3);
    assert!(!place.lake().join("incoming").exists());
}

#[test]
fn what_a_store_refuses_is_said_without_the_secret() {
    let (server, place) = (Server::start(), Place::new());
    server.put("fx.csv", format!("{FX}2026-06-30,EUR,USD,1.1,ECB\n"));
    server.ingest(&place, "s3://bucket/missing.csv", SECRET).says(2, &["s3://bucket/missing.csv`: there is no such object"]);
    server.ingest(&place, "s3://nowhere/x/", SECRET).says(2, &["s3://nowhere/x/`: there is no such bucket"]);
    server
        .ingest(&place, "s3://bucket/fx.csv", "another-secret-altogether")
        .says(2, &["access is denied; check the credentials"]);
    server
        .ingest(&place, "s3://bucket/folder/", "another-secret-altogether")
        .says(2, &["access is denied; check the credentials"]);
    server.ingest(&place, "s3://bucket/fx.csv", SECRET).says(0, &[]);
    for url in ["s3://key-id:hunter22@bucket/fx.csv", "az://container/fx.csv?sig=hunter22", "ftp://user:hunter22@host/fx.csv"] {
        let ran = server.ingest(&place, url, SECRET);
        assert!(ran.code == 2 && !ran.to_string().contains("hunter22"), "{ran}");
    }
    let ran = server.ingest(&place, "ftp://host/fx.csv", SECRET);
    ran.says(2, &["no store that can be read; known are s3, gs, az, abfss, file"]);
}

#[test]
fn a_file_url_is_a_path() {
    let place = Place::new();
    let file = place.write("with space/fx_2026-06-30.csv", format!("{FX}2026-06-30,EUR,USD,1.1,ECB\n"));
    let url = url_of(&file);
    place.run(&["ingest", &url]).says(0, &[]);
    assert_eq!(rows(&place.lake(), Table::Batch)[0]["file"], file.display().to_string());
    place.run(&["ingest", &url.replace("fx_", "gx_")]).says(2, &["is no file"]);
}

fn url_of(file: &std::path::Path) -> String {
    format!("file://{}", file.display().to_string().replace(' ', "%20"))
}
