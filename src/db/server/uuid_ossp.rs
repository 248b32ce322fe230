//! The extension uuid-ossp of downloaded programs. Its library needs another one of the system (libossp-uuid), which few machines
//! have; without it the extension's functions are made in SQL, so that every script that asks for them runs.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The extension's script, below the programs' folder.
const SCRIPT: &str = "share/extension/uuid-ossp--1.1.sql";
const LIBRARY: &str = "lib/uuid-ossp.so";

/// The functions of uuid-ossp 1.1 with PostgreSQL's own means: those of version 1 have the time and a random node, `v5` needs a
/// hash that the server does not have and says so.
pub const FUNCTIONS: &str = "\
CREATE FUNCTION uuid_nil() RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT '00000000-0000-0000-0000-000000000000'::uuid $$;
CREATE FUNCTION uuid_ns_dns() RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid $$;
CREATE FUNCTION uuid_ns_url() RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid $$;
CREATE FUNCTION uuid_ns_oid() RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid $$;
CREATE FUNCTION uuid_ns_x500() RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid $$;
CREATE FUNCTION uuid_generate_v4() RETURNS uuid VOLATILE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT pg_catalog.gen_random_uuid() $$;
CREATE FUNCTION uuid_generate_v1mc() RETURNS uuid VOLATILE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT (substr(t, 9, 8) || '-' || substr(t, 5, 4) || '-1' || substr(t, 2, 3) || '-' || substr(r, 20, 5) || '03' || substr(r, 27))::uuid
    FROM lpad(to_hex((extract(epoch FROM clock_timestamp()) * 10000000)::bigint + 122192928000000000), 16, '0') AS t,
         CAST(pg_catalog.gen_random_uuid() AS text) AS r $$;
CREATE FUNCTION uuid_generate_v1() RETURNS uuid VOLATILE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT (substr(t, 9, 8) || '-' || substr(t, 5, 4) || '-1' || substr(t, 2, 3) || '-' || substr(r, 20, 5) || '03' || substr(r, 27))::uuid
    FROM lpad(to_hex((extract(epoch FROM clock_timestamp()) * 10000000)::bigint + 122192928000000000), 16, '0') AS t,
         CAST(pg_catalog.gen_random_uuid() AS text) AS r $$;
CREATE FUNCTION uuid_generate_v3(namespace uuid, name text) RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS $$
    SELECT encode(set_byte(set_byte(h, 6, get_byte(h, 6) & 15 | 48), 8, get_byte(h, 8) & 63 | 128), 'hex')::uuid
    FROM decode(md5(uuid_send(namespace) || convert_to(name, 'UTF8')), 'hex') AS h $$;
CREATE FUNCTION uuid_generate_v5(namespace uuid, name text) RETURNS uuid IMMUTABLE STRICT PARALLEL SAFE LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'uuid_generate_v5 needs the library libossp-uuid, which this machine does not have'; END $$;
";

/// Puts the functions in the place of the library where that cannot be loaded. Where this cannot be found out, or not written,
/// the extension stays as it is, and its own error says what it lacks.
pub(super) fn make_loadable(programs: &Path) {
    let library = programs.join(LIBRARY);
    let Ok(needs) = Command::new("ldd").arg(&library).output() else {
        return;
    };
    if lacks_a_library(&String::from_utf8_lossy(&needs.stdout)) {
        let script = programs.join(SCRIPT);
        if script.is_file() {
            let _ = fs::write(script, FUNCTIONS);
        }
    }
}

/// Of what `ldd` prints: `libossp-uuid.so.16 => not found`.
fn lacks_a_library(printed: &str) -> bool {
    printed
        .lines()
        .any(|line| line.trim_end().ends_with("=> not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_seen() {
        assert!(lacks_a_library(
            "\tlinux-vdso.so.1 (0x7ffc)\n\tlibossp-uuid.so.16 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x7f)\n"
        ));
        assert!(!lacks_a_library("\tlibc.so.6 => /lib/libc.so.6 (0x7f)\n"));
        assert!(!lacks_a_library(""));
    }

    #[test]
    fn programs_without_the_extension_stay_as_they_are() {
        let programs = tempfile::tempdir().unwrap();
        make_loadable(programs.path());
        assert_eq!(fs::read_dir(programs.path()).unwrap().count(), 0);
    }
}
