"""Facts as the tests say them."""

from datetime import date, timedelta
from decimal import Decimal

from chassis.clock import at
from contracts.base import Amount, Quantity
from contracts.broker import AssetsValued, ClientOpened, Instrument, TradeCancelled, TradeSettled

FIRST = date(2024, 1, 1)
CLIENT = "c-1"


def day(number: int) -> date:
    """The first day of the tests' time, and so many days on."""
    return FIRST + timedelta(days=number)


def opened(client: str = CLIENT, on: date = FIRST, branch: str = "B1") -> ClientOpened:
    return ClientOpened(client_id=client, branch_id=branch, opened_on=on)


def trade(trade_id: str, on: date, commission: str, client: str = CLIENT, amount: str = "1000") -> TradeSettled:
    return TradeSettled(
        trade_id=trade_id,
        client_id=client,
        account_id=client,
        branch_id="B1",
        trade_date=on,
        settled_at=at(on, 15),
        instrument=Instrument(symbol="600519", kind="stock"),
        side="buy",
        quantity=Quantity("100"),
        amount=Quantity(amount),
        commission=Quantity(commission),
        currency="CNY",
    )


def cancelled(trade_id: str, remaining: str, on: date, client: str = CLIENT) -> TradeCancelled:
    return TradeCancelled(
        trade_id=trade_id, client_id=client, cancelled_at=at(on, 16), remaining_commission=Quantity(remaining)
    )


def valued(on: date, total: str, client: str = CLIENT) -> AssetsValued:
    return AssetsValued(client_id=client, as_of=on, total_assets=Amount(total))


def money(text: str) -> Decimal:
    return Decimal(text)
