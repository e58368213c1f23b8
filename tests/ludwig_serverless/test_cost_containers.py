"""The bill of `serve` in containers: hand-calculated cases."""

import msgspec
import pytest

from ludwig_serverless.cost.bill import MONTH_HOURS, MONTH_SECONDS
from ludwig_serverless.cost.containers import cheaper_from, container_bill, tasks
from tests.ludwig_serverless.test_cost import ROUND_PRICES, measured

PRICES = msgspec.structs.replace(
    ROUND_PRICES, fargate_core_hour=0.04, fargate_gb_hour=0.005, balancer_hour=0.02, balancer_unit_hour=0.01
)


@pytest.mark.parametrize(("peak", "count"), [(0.1, 2), (100, 2), (101, 3), (1000, 20)])
def test_tasks_give_half_of_their_measured_answers_and_there_are_two_at_least(peak: float, count: int) -> None:
    assert tasks(peak, measured(serve_answers_per_second=100.0)) == count


def test_the_bill_of_a_million_messages() -> None:
    bill = container_bill(1e6, 150, PRICES, measured(serve_answers_per_second=100.0))
    assert bill.name == "Fargate, 3 tasks"
    assert bill.fixed == pytest.approx({"tasks": 3 * (0.08 + 0.02) * MONTH_HOURS, "load balancer": 0.02 * MONTH_HOURS})
    assert bill.by_message == pytest.approx(
        {"load balancer's units": 4 * 0.01, "logs": 1 * 0.53, "data": 3 * 0.1}  # 1000 + 3000 bytes, 1000, 3000
    )


def test_containers_cost_less_from_the_point_where_both_bills_are_equal() -> None:
    figures = measured(serve_answers_per_second=1e9)
    found = cheaper_from(1.0, 3e-6, 2.0, PRICES, figures)
    assert found is not None
    bill = container_bill(found, found / MONTH_SECONDS * 2, PRICES, figures)
    assert bill.total == pytest.approx(1.0 + 3e-6 * found, rel=0.002)
    assert cheaper_from(0.0, 1e-9, 2.0, PRICES, figures) is None
