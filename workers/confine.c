// SPDX-License-Identifier: Apache-2.0
// deskbell-worker's confinement. The worker holds the API keys and reads what Freshworks answers; it has no business
// with the ledger or with any file it could change.
#include "workers/confine.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "proto/config.h"
#include "proto/landlock.h"
#include "proto/log.h"
#include "proto/seam.h"

bool confine_early(void)
{
    struct rlimit none = {0, 0};
    bool ok = setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
#ifndef __SANITIZE_ADDRESS__ // LeakSanitizer looks at the process from a second one
    ok = ok && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
#endif
    umask(0077); // the link's socket is for this user alone
    return ok;
}

bool confine_files(const struct config *config)
{
    char log[PATH_MAX]; // opened anew on USR1
    // Whole folders where others replace the files in them while we run: a rule names a file, not its successor.
    const struct landlock_path paths[] = {
        {config->runtime_dir, LANDLOCK_SOCKET},
        {log_folder(config->log_file, log, sizeof log), LANDLOCK_APPEND},
        {"/etc", LANDLOCK_READ}, // resolv.conf, hosts, nsswitch.conf, certificates
        {"/usr", LANDLOCK_READ}, // libraries for name resolution, certificates
        {"/lib", LANDLOCK_READ},
        {"/lib64", LANDLOCK_READ},
        {"/var/lib/ca-certificates", LANDLOCK_READ},
        {"/run/systemd/resolve", LANDLOCK_READ},
        {"/run/resolvconf", LANDLOCK_READ},
        {"/run/NetworkManager", LANDLOCK_READ},
        {config->freshchat.ca_file, LANDLOCK_READ},
        {config->freshdesk.ca_file, LANDLOCK_READ},
        {config->freshcaller.ca_file, LANDLOCK_READ},
        {"/dev/null", LANDLOCK_DEVICE},
        {"/dev/urandom", LANDLOCK_READ},
        {"/proc/self", LANDLOCK_READ},
        {"/proc/stat", LANDLOCK_READ}, // the C library counts processors
        {"/sys/devices/system/cpu", LANDLOCK_READ},
        {"/proc/sys/net", LANDLOCK_READ},
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        {"/proc/self/exe", LANDLOCK_READ}, // for the lines in a report
#endif
        {seam_once_folder(), LANDLOCK_OWN},
    };
    return landlock_confine(paths, sizeof paths / sizeof *paths);
}
