"""Encodes and decodes the AMQP frames that are sent most; all others are left to the driver.

frame_writer ..... publishes, gets and settlements of a channel, written at the end of a loop's turn
frame_reader ..... messages and confirms, read from the socket before the driver sees them
frame_encoding ... one function for each frame that is sent
frame_decoding ... a delivery's header and body, as a `Message`
publishing_user .. the name of who publishes, which each message has

Arrows run down this list.
"""
