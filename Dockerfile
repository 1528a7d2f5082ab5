# CPU:  docker build -t phasenet-keras .
# GPU:  docker build -t phasenet-keras:gpu --build-arg 'TENSORFLOW=tensorflow[and-cuda]' .
ARG BASE_IMAGE=docker.io/library/python:3.13.7-slim-trixie@sha256:5f55cdf0c5d9dc1a415637a5ccc4a9e18663ad203673173b8cda8f8dcacef689

FROM ${BASE_IMAGE} AS build
# Debian's own Python lets nothing be installed outside of a virtual environment.
RUN python3 -m venv /opt/build
WORKDIR /src
COPY setup.cfg tools/container_requirements.py ./
ARG TENSORFLOW=tensorflow-cpu
RUN python3 container_requirements.py "${TENSORFLOW}" setup.cfg > /requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY phasenet_keras phasenet_keras
COPY pretrained pretrained
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM ${BASE_IMAGE}
# The dependencies change seldom and are large: this layer stays while requirements.txt does.
COPY --from=build /requirements.txt /opt/phasenet-keras/
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir -r /opt/phasenet-keras/requirements.txt
# Every user may write to /cache: `--user` gives files under /data the caller's owner.
RUN groupadd --gid 10001 phasenet \
    && useradd --uid 10001 --gid phasenet --home-dir /tmp --no-create-home phasenet \
    && install -d -m 1777 /cache \
    && install -d -o phasenet -g phasenet /data
# What Python, Keras, Matplotlib and CUDA keep goes to /tmp: the root file system may be read-only.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp \
    KERAS_HOME=/tmp/keras \
    MPLCONFIGDIR=/tmp/matplotlib \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PHASENET_KERAS_CACHE=/cache \
    PYTHONUNBUFFERED=1
COPY --from=build /wheels /opt/phasenet-keras/wheels
# --no-deps: pip knows not that tensorflow-cpu is tensorflow, and would install the other one, too.
RUN pip install --no-cache-dir --no-deps --no-index /opt/phasenet-keras/wheels/*.whl
VOLUME ["/cache"]
WORKDIR /data
USER 10001:10001
ENTRYPOINT ["phasenet-keras"]
CMD ["--help"]
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="phasenet-keras" \
      org.opencontainers.image.description="P and S arrival picking with PhaseNet in Keras 3" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
