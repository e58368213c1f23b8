"""Check that this machine has a Java that runs Spark."""

import os
import re
import shutil
import subprocess

from ludwig_serverless.batch.errors import BatchError

NEEDED = 17
"""The oldest version of Java that runs Spark 4."""
VERSION = re.compile(r'version "(?:1\.)?(\d+)')
"""Java 8 calls itself 1.8, and later ones 11.0.2 or 17."""
INSTALL = "install a newer one (Debian and Ubuntu: `sudo apt-get install default-jre-headless`)"


def check_java() -> None:
    """Check the Java that Spark would start: that of JAVA_HOME, or else the one on the PATH.

    Raises:
        BatchError: There is none, it does not run, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    found = os.path.join(home, "bin", "java") if home else "java"  # noqa: PTH118
    java = shutil.which(found)
    if java is None:
        missing = f"JAVA_HOME is {home}, which has no bin/java" if home else "there is no java on the PATH"
        raise BatchError(
            f"Spark needs Java {NEEDED} or later, and {missing}: install it (Debian and Ubuntu: `sudo apt-get install "
            "default-jre-headless`), or set JAVA_HOME to its folder."
        )
    done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = VERSION.search(done.stderr + done.stdout)
    if done.returncode or version is None:
        said = (done.stderr or done.stdout).strip().partition("\n")[0]
        raise BatchError(f"Spark needs Java {NEEDED} or later, and {java} does not run: {said or 'it says nothing'}.")
    if int(version[1]) < NEEDED:
        raise BatchError(
            f"Spark needs Java {NEEDED} or later, and {java} is Java {version[1]}: {INSTALL}, or set JAVA_HOME to its "
            "folder."
        )
