use super::*;

fn locations(data: &str, config: &str, home: &str, root: bool) -> Locations {
    let set = |text: &str| (text != "unset").then(|| OsString::from(text));
    Locations {
        xdg_data_home: set(data),
        xdg_config_home: set(config),
        home: set(home).map(PathBuf::from),
        root,
    }
}

#[test]
fn directories_follow_the_table() {
    let user = ("/h/.local/share/credb", "/h/.config/credb/machine.key");
    let root = ("/var/lib/credb", "/etc/credb/machine.key");
    let rows = [
        (locations("unset", "unset", "/h", false), user),
        (locations("unset", "unset", "/h", true), root),
        (locations("unset", "unset", "unset", true), root),
        (locations("", "", "/h", false), user),
        (locations("relative", "./relative", "/h", false), user),
        (locations("relative", "~/config", "/h", true), root),
        (locations("/d", "/c", "/h", false), ("/d/credb", "/c/credb/machine.key")),
        (locations("/d", "/c", "unset", true), ("/d/credb", "/c/credb/machine.key")),
        (locations("/d", "unset", "/h", false), ("/d/credb", user.1)),
        (locations("unset", "/c", "/root", true), (root.0, "/c/credb/machine.key")),
    ];
    for (locations, (data, secret)) in rows {
        assert_eq!(locations.data_dir().unwrap(), Path::new(data), "{locations:?}");
        assert_eq!(locations.machine_secret().unwrap(), Path::new(secret), "{locations:?}");
    }
}

#[test]
fn without_a_home_the_error_names_both_options() {
    let homeless = locations("unset", "unset", "unset", false);
    for error in [
        homeless.data_dir().unwrap_err(),
        homeless.machine_secret().unwrap_err(),
        homeless.vault_path("default").unwrap_err(),
    ] {
        let message = error.to_string();
        assert!(message.contains("--vault") && message.contains("--key-file"), "{message}");
    }
    assert_eq!(homeless.vault_path("./x.redb").unwrap(), Path::new("./x.redb"));
}

#[test]
fn names_are_vaults_in_the_data_directory() {
    let home = locations("/d", "unset", "/h", false);
    for name in ["default", "a", "0", "prod.eu-1_x", "x.redb.old", "A..", "x.REDB"] {
        let expected = PathBuf::from(format!("/d/credb/{name}.redb"));
        assert_eq!(home.vault_path(name).unwrap(), expected);
    }
}

#[test]
fn whatever_has_a_slash_is_a_path_as_it_stands() {
    let home = locations("/d", "unset", "/h", false);
    for path in ["./x.redb", "/v", "a/b", "../x", "./~x", "a b/", "./x"] {
        assert_eq!(home.vault_path(path).unwrap().as_os_str(), path);
    }
}

#[test]
fn what_is_neither_name_nor_path_is_refused_with_a_path_that_is() {
    let home = locations("/d", "unset", "/h", false);
    for odd in ["x.redb", ".redb", "~", "~x", "~/x.redb", "-x", ".x", "a b", "caf\u{e9}", "a\nb"] {
        let message = home.vault_path(odd).unwrap_err().to_string();
        assert!(message.ends_with(&format!("./{odd}")), "{message}");
    }
    let message = home.vault_path("x.redb").unwrap_err().to_string();
    let expected =
        "vault \"x.redb\" is the name of a file, not of a vault; the file here is ./x.redb";
    assert_eq!(message, expected);
    assert!(home.vault_path("").is_err());
}

#[test]
fn the_password_file_gives_the_home_of_the_user_id() {
    let passwd = b"root:x:0:0:root:/root:/bin/bash\n\
        # a comment\n\
        broken:x:7\n\
        letters:x:seven:7::/wrong:/bin/sh\n\
        none:x:7:7:::/bin/sh\n\
        ada:x:7:7:Ada,,\xff:/home/ada:/bin/sh\n\
        later:x:7:7::/home/later:/bin/sh";
    assert_eq!(home_in(passwd, 0), Some("/root".into()));
    assert_eq!(home_in(passwd, 7), Some("/home/ada".into()));
    assert_eq!(home_in(passwd, 1), None);
    assert_eq!(home_in(b"", 0), None);
}

#[test]
fn this_process_has_a_data_directory() {
    let locations = Locations::of_process();
    assert_eq!(locations.root, rustix::process::geteuid().is_root());
    assert!(locations.data_dir().unwrap().is_absolute());
}
