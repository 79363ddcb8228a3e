"""The dialect of 8x8's Voice and Number Masking APIs: call flows and the configuration of a subaccount.

What it is: routes below `/api/v1/subaccounts/{id}`, their JSON, their errors, their OpenAPI document. What it is not:
rules (`workflows`), or the webhooks that are sent (`webhooks/formats/eight*.py`).
"""
