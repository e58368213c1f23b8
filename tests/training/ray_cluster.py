"""A Ray cluster of two machines, both this one: run in Ray's environment, it prints its address and lives until its
standard input ends."""

import os
import sys

# On a busy machine, a node takes long to start. Ray reads this when it is imported.
os.environ.setdefault("RAY_raylet_start_wait_time_s", "240")

from ray.cluster_utils import Cluster

if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1, include_dashboard=False)
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()
