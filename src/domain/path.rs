//! File paths on Windows and other devices, built from the members that Defender sends.

use std::borrow::Cow;

/// The location of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileLocation<'a> {
    /// Its directory.
    pub directory: Option<&'a str>,
    /// Its directory and name.
    pub path: Option<Cow<'a, str>>,
}

impl<'a> FileLocation<'a> {
    /// Creates a location from Defender's `path`, which is the directory, and the name.
    ///
    /// For some files, `path` already ends in the name.
    pub fn new(path: Option<&'a str>, name: Option<&'a str>) -> Self {
        let Some(path) = path.filter(|path| !path.is_empty()) else { return Self::default() };
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Self { directory: Some(path), path: None };
        };
        if let Some((directory, last)) = path.rsplit_once(['\\', '/'])
            && last.eq_ignore_ascii_case(name)
        {
            return Self { directory: Some(directory).filter(|text| !text.is_empty()), path: Some(path.into()) };
        }
        let separator = if path.contains('/') && !path.contains('\\') { "/" } else { "\\" };
        let between = if path.ends_with(['\\', '/']) { "" } else { separator };
        Self { directory: Some(path), path: Some(format!("{path}{between}{name}").into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_appended_unless_the_path_has_it() {
        for (path, name, directory, whole) in [
            (r"C:\Windows\System32", "rundll32.exe", r"C:\Windows\System32", r"C:\Windows\System32\rundll32.exe"),
            (r"c:\windows\TASKHOSTW.exe", "taskhostw.exe", r"c:\windows", r"c:\windows\TASKHOSTW.exe"),
            ("C:\\", "a.exe", "C:\\", r"C:\a.exe"),
            ("C:", "a.exe", "C:", r"C:\a.exe"),
            ("https://contoso.com/docs", "x.docx", "https://contoso.com/docs", "https://contoso.com/docs/x.docx"),
            ("/usr/bin", "ssh", "/usr/bin", "/usr/bin/ssh"),
            ("/usr/bin/", "ssh", "/usr/bin/", "/usr/bin/ssh"),
            (r"\\srv\share", "a/b", r"\\srv\share", r"\\srv\share\a/b"),
        ] {
            let location = FileLocation::new(Some(path), Some(name));
            assert_eq!((location.directory, location.path.as_deref()), (Some(directory), Some(whole)));
        }
        assert_eq!(
            FileLocation::new(Some("/ssh"), Some("ssh")),
            FileLocation { directory: None, path: Some("/ssh".into()) }
        );
        assert_eq!(FileLocation::new(Some("/usr"), None), FileLocation { directory: Some("/usr"), path: None });
        assert_eq!(FileLocation::new(Some(""), Some("a")), FileLocation::default());
        assert_eq!(FileLocation::new(None, Some("a")), FileLocation::default());
    }
}
