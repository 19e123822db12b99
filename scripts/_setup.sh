# Set-up for the other scripts in this folder, which source it from the project root. POSIX sh only.
#
#   find_python   sets $python to an interpreter that can create the environment, or exits with a message
#   set_up LEVEL  makes .venv complete and up to date; LEVEL is `run`, or `dev` (with all tools)
#
# If nothing has changed, set_up needs one `cksum` only. The slow part is in _setup.py.

find_python() {
    _old=
    _bare=
    for python in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
        [ -n "$python" ] || continue
        _path=$(command -v "$python" 2>/dev/null) || continue
        case $(
            "$python" -I -c '
import sys
if sys.version_info < (3, 11):
    print("old")
else:
    try:
        import ensurepip, venv
        print("good")
    except ImportError:
        print("bare")
' 2>/dev/null
        ) in
        good) return ;;
        bare) _bare=${_bare:-$_path} ;;
        old) _old=${_old:-$_path} ;;
        esac
    done
    if [ -n "$_bare" ]; then
        echo "dagrun: $_bare cannot create virtual environments because its venv or ensurepip module is missing" \
            "(on Debian and Ubuntu: apt install python3-venv); install that, or set PYTHON to another Python >= 3.11." >&2
    elif [ -n "$_old" ]; then
        echo "dagrun: Python 3.11 or newer is needed, and $_old is older;" \
            "install a newer one, or set PYTHON to one that is not on PATH." >&2
    else
        echo "dagrun: Python 3.11 or newer is needed, and none was found on PATH;" \
            "install one, or set PYTHON to one that is not on PATH." >&2
    fi
    exit 1
}

set_up() {
    cd -P . # the same path for this folder, however it was reached
    # What the environment was created from. It includes the folder, because an environment cannot be moved.
    _wanted=$PWD'
'$(cksum pyproject.toml requirements.txt requirements-dev.txt)
    if [ -x .venv/bin/python ] && [ -r .venv/dagrun-ready ]; then
        { read -r _level && _found=$(cat); } <.venv/dagrun-ready || _found=
        if [ "$_found" = "$_wanted" ]; then
            case $_level in "$1" | dev) return ;; esac
        fi
    fi
    find_python
    "$python" -I scripts/_setup.py "$1" "$_wanted" || exit
}
