extension DiagnosticCode {
    var fileEntry: Entry {
        switch self {
        case .fileTooLarge:
            Entry(
                title: "file too large",
                explanation: "A file holds at most 16 MiB and 4,194,304 keys and values, so that no file can make a reconciler run "
                    + "out of memory. Git's own list of one folder has the same limit.",
                remedy: "Split it: any document may move to a file of its own, and `kind: Endpoints` splits a network.")
        case .notUTF8:
            Entry(
                title: "not UTF-8",
                explanation: "Files are UTF-8; a byte order mark is allowed, UTF-16 and Latin-1 are not.",
                remedy: "Save the file as UTF-8: `iconv -f latin1 -t utf-8`.")
        case .yamlSyntax:
            Entry(
                title: "not YAML",
                explanation: "The file breaks YAML's grammar here. Nothing after this place was read, so names that only "
                    + "it may define are not reported as unknown.",
                remedy: "Look at this line and the one before: an open bracket or quote, a tab, a missing space after a colon.")
        case .nestingTooDeep:
            Entry(
                title: "nested too deep",
                explanation: "Mappings and lists lie at most 16 levels inside each other. The rest of the file was not read.",
                remedy: "No resource needs more than four levels.")
        case .anchorOrAlias:
            Entry(
                title: "anchor or alias",
                explanation: "`&name` and `*name` are refused: a few lines of them can stand for gigabytes, and a reviewer "
                    + "sees a change in one place that happens in another.",
                remedy: "Write the value out where it is used.")
        case .tag:
            Entry(
                title: "tag",
                explanation: "`!type` is refused, and so is a `%TAG` line: the type of every field is known.",
                remedy: "Leave the tag out; quote a value that is meant as text: `name: \"10\"`.")
        case .duplicateKey:
            Entry(
                title: "key given twice",
                explanation: "A mapping has each key once; YAML readers disagree about which one counts. The message names "
                    + "both places.",
                remedy: "Keep one of them.")
        case .keyNotText:
            Entry(
                title: "key is no text",
                explanation: "A key is a word. A value such as `{{ name }}`, left by a template, begins a mapping.",
                remedy: "Quote the text, or fill in the template first.")
        case .unreadable:
            Entry(
                title: "cannot be read",
                explanation: "A file, or a folder with all its files, cannot be opened or read; the message has the system's "
                    + "reason. Part of a topology is not a topology. Names that only it may define are not reported as unknown.",
                remedy: "`chmod a+r web.yaml`, or move it out of the tree.")
        case .foldersTooDeep:
            Entry(
                title: "folders too deep",
                explanation: "Folders lie at most 64 deep inside each other. What is in this one was not read.",
                remedy: "Move it up: the folder of a file means nothing.")
        case .beyondLimits:
            Entry(
                title: "tree too large",
                explanation: "One read takes in at most 250,000 files and folders, 100,000 topology files, and 256 MiB of topology "
                    + "files and of git's lists of folders. What lies at several paths counts at each. A million endpoints are "
                    + "56 MiB in 26,000 files. The place is the first path that was not read. The limits are the same on every "
                    + "machine.",
                remedy: "Choose a smaller folder (`--path`), or keep a cluster's topology in a repository of its own.")
        case .pathTooLong:
            Entry(
                title: "path too long",
                explanation: "A path below the chosen folder has at most 1,024 bytes. What is there was not read.",
                remedy: "Shorten it, or move it out of the tree: names of files and folders mean nothing.")
        case .valueTooLong:
            Entry(
                title: "key or value too long",
                explanation: "No key or value that means anything has more than 1,024 bytes. Most often a quote is not closed, or "
                    + "the file is not a topology.",
                remedy: "Close the quote, or take the value out.")
        case .innerByteOrderMark:
            Entry(
                title: "byte order mark within a file",
                explanation: "A byte order mark (U+FEFF, bytes EF BB BF) may stand at the beginning of a file. Within one, it becomes an "
                    + "invisible part of the key behind it. It is left over where one file was put behind another.",
                remedy: "Take it out: `sed -i '2,$s/^\\xEF\\xBB\\xBF//' web.yaml`.")
        case .lfsPointer:
            Entry(
                title: "Git LFS pointer",
                explanation: "The commit holds a pointer to a file that Git LFS keeps elsewhere. Hosts read commits alone.",
                remedy: "Keep topology files out of Git LFS: `git lfs untrack '*.yaml'`, then add them again.")
        case .skippedFile:
            Entry(
                title: "skipped, but looks like a part of the topology",
                explanation: "A warning: only files whose names end in `.yaml` or `.yml` are read, in lower case, and nothing below a "
                    + "name that begins with `.`; symbolic links and submodules are not followed. A file is warned of if its beginning "
                    + "says `apiVersion: mizar/…`; a submodule always; a link if what it leads to is not read anyway and is a folder, "
                    + "or has a topology file's name. At most 10,000 hidden files and 64 MiB are looked at.",
                remedy: "Rename or move it, or put the file itself in the link's place. Move it out of the folder (`--path`) if it "
                    + "does not belong to the topology.")
        case .copiedFile:
            Entry(
                title: "the same file twice",
                explanation: "Two files have the same content, byte for byte, so each resource in it would be defined twice. Reported "
                    + "once a file, with the path of the first.",
                remedy: "Remove one of them.")
        case .tooManyFindings:
            Entry(
                title: "more errors than are listed",
                explanation: "At most 1,000 errors of the files themselves are listed, and 1,000 of what they say together. Then "
                    + "nothing more is read, or checked.",
                remedy: "Mend those that are listed first: many may have one cause.")
        case .tooManyWarnings:
            Entry(
                title: "more warnings than are listed",
                explanation: "A warning: at most 1,000 warnings are listed. The message says how many there are more.",
                remedy: "Mend those that are listed first: many may have one cause.")
        default:
            Entry(
                title: "no resources",
                explanation: "The tree has no document at all. An empty folder is more often a wrong path than the wish to "
                    + "take the whole network away, so it is never applied.",
                remedy: "Check `--path` and `--ref`; `detach` takes a host's network away. A lone `kind: Cluster` is a tree.")
        }
    }
}
