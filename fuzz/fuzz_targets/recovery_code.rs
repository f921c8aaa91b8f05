//! Whatever somebody types as a recovery code is refused or understood, and what is understood
//! prints as a code that means the same.
#![no_main]

use credb::RecoveryCode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(code) = RecoveryCode::parse(text) {
        let printed = code.expose();
        let again = RecoveryCode::parse(&printed).expect("a printed code is a code");
        assert_eq!(again.expose(), printed);
    }
});
