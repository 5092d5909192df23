"""What the vendor's own client makes of an API: run as `python sdk.py BASE_URL KEY FIRST_DAY LAST_DAY`, prints one JSON object.

Nothing of the client is replaced: the base URL is its own class attribute.
"""

import json
import sys

import requests
from tmai_api import TokenMetricsClient
from tmai_api.base import BaseEndpoint

base_url, key, first, last = sys.argv[1:]


class Client(TokenMetricsClient):
    BASE_URL = base_url


def outcome(call):
    """The rows of a call, or the status that the client raised."""
    try:
        return call()["data"]
    except requests.HTTPError as error:
        return error.response.status_code


def columns(frame):
    return {name: str(kind) for name, kind in frame.dtypes.items()}


client, stranger = Client(api_key=key), Client()
window = {"startDate": first, "endDate": last}
frame = client.trading_signals.get_dataframe(token_id="3375,3306", **window)
hourly = BaseEndpoint(client)._request("get", "hourly-trading-signals", {"token_id": "3375", "limit": 50, "page": 1})

print(
    json.dumps(
        {
            "signals": json.loads(frame.to_json(orient="records")),
            "columns": columns(frame),
            "bullish": outcome(lambda: client.trading_signals.get(token_id="3375,3306", signal="1", **window)),
            "nothing": outcome(lambda: client.trading_signals.get(token_id="1", **window)),
            "hourly_columns": columns(client.tokens.to_dataframe(hourly)),
            "hourly": hourly["data"],
            "tokens": outcome(lambda: client.tokens.get()),
            "token_columns": columns(client.tokens.get_dataframe(symbol="BTC,ETH")),
            "ether": outcome(lambda: client.tokens.get(symbol="ETH")),
            "no_such_token": outcome(lambda: client.tokens.get(token_id="1")),
            "candles": outcome(lambda: client.daily_ohlcv.get(token_id="3375", **window)),
            "stranger_signals": outcome(lambda: stranger.trading_signals.get(token_id="3375", **window)),
            "stranger_tokens": outcome(lambda: stranger.tokens.get()),
        }
    )
)
