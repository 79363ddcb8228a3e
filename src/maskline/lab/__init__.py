"""The product without a carrier: a carrier, phones with real RTP and a webhook inbox, for demos and tests.

Built on the project's own SIP layer, but always run in another process than the engine under test, over real
sockets. Nothing in the engine imports it.
"""
