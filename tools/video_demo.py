"""Find and follow the instances of a video: ``mim run pmvis_mm video_demo``.

The same as demo/video_demo.py; mim runs what is in tools/ only.
"""

from pmvis_mm.apis.video_demo import main

if __name__ == '__main__':
    main()
