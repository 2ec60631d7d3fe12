# What scripts/demo, scripts/test and scripts/setup share: from a machine with only python3 and git to a .venv in
# which axonlike is installed. Sourced with the repository's root as working directory. POSIX sh.
#
# Exit codes of the set-up: 3 = something is missing on this machine that only its user can install (the line to type
# is printed); 1 = a step failed (its own output stands above).
#
# pip's own configuration (PIP_* variables, pip.conf) is left alone: a mirror or proxy set there keeps working.

VENV=.venv
VENV_PYTHON=$VENV/bin/python
# What the last successful installation was made of, and below it the extras that are there, one a line.
STAMP=$VENV/.axonlike-installed
ROOT=$(pwd)

# dpkg refuses to work without a PATH, and warns without the sbin folders, which are not in every user's PATH.
PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die CODE MESSAGE...
die() {
    die_code=$1
    shift
    say "$@"
    exit "$die_code"
}

find_python() {
    for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        if is_recent "$candidate"; then
            # Written out in full: pyenv and the like put wrappers into PATH, and a venv must not hang on a wrapper.
            PYTHON=$("$candidate" -c 'import sys; print(sys.executable)')
            return
        fi
    done
    seen=$("${PYTHON:-python3}" --version 2>&1) || seen="no ${PYTHON:-python3}"
    die 3 "needs Python 3.11 or newer; found: $seen. Install one, or name it: PYTHON=/path/to/python3 $0"
}

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# install_packages PACKAGE...: through apt-get where this may be done without asking, else says what to type.
install_packages() {
    if ! command -v apt-get >/dev/null 2>&1; then
        die 3 "needs what Debian calls: $*. There is no apt-get here: install their like, then run $0 again."
    fi
    by_hand="apt-get update && apt-get install -y $*"
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        say "needs system packages, and only root may install them. Type this, then run $0 again:"
        if command -v sudo >/dev/null 2>&1; then become=sudo\ sh; else become=su; fi
        printf "    %s -c '%s'\n" "$become" "$by_hand" >&2
        exit 3
    fi
    say "needs system packages: installing $*"
    log=$(mktemp)
    # The lists of a fresh image are empty or old, so the update comes first. A source that is down and not needed must
    # not stop us: the installation decides. No quotes around $as_root: it is no word or two.
    $as_root apt-get update >"$log" 2>&1 || { cat "$log" >&2; say "apt-get update failed (above); going on"; }
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        die 3 "apt-get could not install these (above). By hand, as root: $by_hand"
    fi
    rm -f "$log"
}

# Debian cuts ensurepip out of python3 and puts it into python3-venv, one package a Python version. Prints its name.
missing_for_venv() {
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null && return
    case $("$PYTHON" -c 'import os, sys; print(os.path.realpath(sys.executable))') in
        /usr/bin/*) ;;
        *) die 3 "$PYTHON has no ensurepip and is not the system's; name a complete one: PYTHON=/path/to/python3 $0" ;;
    esac
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = "$version" ]; then
        echo python3-venv
    else
        echo "python$version-venv"
    fi
}

# PyAudio has no Linux wheel: pip compiles it against PortAudio. Prints the packages that this still needs.
missing_for_audio() {
    command -v gcc >/dev/null 2>&1 || echo gcc
    header=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')
    [ -f "$header" ] || echo python3-dev
    echo '#include <portaudio.h>' | gcc -E - >/dev/null 2>&1 || echo portaudio19-dev
}

# A .venv survives the Python it was made of, and a broken first attempt leaves one without pip.
venv_works() { is_recent "$VENV_PYTHON" && "$VENV_PYTHON" -c 'import pip' 2>/dev/null; }

# need_machine EXTRA...: a Python and the system packages, all that are missing in one go.
need_machine() {
    packages=
    if venv_works; then
        PYTHON=$VENV_PYTHON
    else
        find_python
        packages=$(missing_for_venv)
    fi
    case " $* " in *" audio "*) packages="$packages $(missing_for_audio)" ;; esac
    # shellcheck disable=SC2086  # one word a package
    set -- $packages
    [ $# = 0 ] || install_packages "$@"
}

need_venv() {
    venv_works && return
    if [ -e "$VENV" ] || [ -L "$VENV" ]; then
        say "$VENV does not work (other or removed Python, or half made): making it anew"
        rm -rf "$VENV"
    fi
    say "making $VENV with $PYTHON"
    "$PYTHON" -m venv "$VENV" || die 1 "python -m venv failed (above)"
}

# The installation depends on these; the folder too, since an editable one points into it.
installation_key() {
    version=$("$VENV_PYTHON" -c 'import sys; print(sys.version.split()[0])')
    printf '%s %s %s\n' "$(cat pyproject.toml setup.py axonlike/_speedups.c | cksum)" "$version" "$ROOT"
}

# prepare EXTRA...: .venv with axonlike (editable) and these extras. Quick when nothing has changed.
prepare() {
    # Two scripts started at once (a demo beside a test run) must not both fill .venv.
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$VENV.lock"
        flock -n 9 || { say "another script is setting up $VENV; waiting for it"; flock 9; }
    fi
    present=
    if venv_works && [ -f "$STAMP" ] && [ "$(head -n 1 "$STAMP")" = "$(installation_key)" ]; then
        present=$(sed 1d "$STAMP")
    fi
    absent=
    for extra in "$@"; do
        # shellcheck disable=SC2086  # one word an extra
        printf '%s\n' $present | grep -qx "$extra" || absent="$absent $extra"
    done
    if [ -n "$absent" ]; then
        # shellcheck disable=SC2086
        need_machine $absent
        need_venv
        say "installing axonlike[$(join_with_commas "$@")] into $VENV (the first time takes a minute)"
        rm -f "$STAMP"
        "$VENV_PYTHON" -m pip install --quiet --disable-pip-version-check -e ".[$(join_with_commas "$@")]" ||
            die 1 "pip could not install axonlike[$(join_with_commas "$@")] (its reasons stand above)"
        # Written last and in one move: a stamp means that all of this happened.
        # shellcheck disable=SC2086
        printf '%s\n' "$(installation_key)" $present $absent >"$STAMP.new"
        mv "$STAMP.new" "$STAMP"
    fi
    exec 9>&-
}

join_with_commas() { printf '%s\n' "$@" | paste -s -d , -; }

# The folders that the type checker reads; never ".", see [tool.mypy] in pyproject.toml.
typed_sources() {
    for folder in axonlike tests examples benchmarks; do
        if [ -d "$folder" ]; then echo "$folder"; fi
    done
}
